#!/usr/bin/env bash
# A name whose first address is dead is reached at its second one. Our own network is lost and comes back: nobody is
# blamed, clients are told, and traffic flows again at once.
#
#   tests/network.sh path/to/backstop      as root, with iproute2, curl
#
# Two network namespaces without any route to elsewhere are joined by a cable that is unplugged and plugged in again.
source "$(dirname "$0")/namespaces.sh"
there="backstop-$$-b"
space "$here"
space "$there"
cable "$here" near 10.200.7.1/24 "$there" far 10.200.7.2/24

# Packets to the first address of this name get lost. The system tries addresses close to its own first.
ip -n "$there" addr add 10.200.7.130/24 dev far
ip -n "$here" neigh add 10.200.7.3 lladdr 02:00:00:00:00:99 dev near nud permanent
hosts "$here" '10.200.7.3 two.test\n10.200.7.130 two.test\n'

for port in 4100 4200; do
    start "$there" "$backstop" demo --listen "0.0.0.0:$port" --admin-listen "10.200.7.2:$((port + 1))" >/dev/null 2>&1
done
cat >"$folder/backstop.yaml" <<'YAML'
upstreams:
  one: {provider: openai-compatible, base_url: "http://10.200.7.2:4100/v1"}
  two: {provider: openai-compatible, base_url: "http://10.200.7.2:4200/v1"}
  named: {provider: openai-compatible, base_url: "http://two.test:4100/v1"}
routes:
  - {models: ["*"], candidates: [{upstream: one}, {upstream: two}]}
  - {models: [named], candidates: [{upstream: named}]}
timeouts: {connect: 1s}
YAML
serve

# It says how long it waits: longer, and its request would wait for the network.
ask() {
    inside curl -s -m 10 -H 'x-stainless-read-timeout: 2' http://127.0.0.1:4000/v1/chat/completions -d '{"model":"m","messages":[]}' || true
}
states() {
    inside curl -s -m 5 http://127.0.0.1:4001/metrics | grep -E '^backstop_(network_lost |upstream_state\{)'
}
# wait_for WHAT SECONDS: asks until an answer holds WHAT.
wait_for() {
    local end=$((SECONDS + $2))
    until ask | grep -q "$1"; do
        [ $SECONDS -lt "$end" ] || fail "no answer with $1 within $2 s"
        sleep 0.1
    done
}

wait_for '"choices"' 10
attempts=$(inside curl -s -m 10 -o /dev/null -w '%header{x-backstop-attempts}' \
    http://127.0.0.1:4000/v1/chat/completions -d '{"model":"named","messages":[]}')
# Whoever answers there does not know the name, but it has answered.
[[ "$attempts" == "named;"*"status=403"* ]] || fail "the second address was not tried: $attempts"
ip -n "$here" link set near down
wait_for local_network_unreachable 10
for _ in $(seq 20); do ask >/dev/null; done
states | grep -q '^backstop_network_lost 1' || fail "the metric does not tell"
if states | grep upstream_state | grep -qv ' 0$'; then fail "somebody was blamed: $(states)"; fi
[ "$(grep -c 'our own network seems to be lost' "$folder/log")" = 1 ] || fail "not one line in the log"
ip -n "$here" link set near up
wait_for '"choices"' 3
states | grep -q '^backstop_network_lost 0' || fail "the metric does not tell that it is back"
if grep -q 'out of rotation' "$folder/log"; then fail "somebody went out of rotation"; fi
echo "network.sh: lost, told, and back"
