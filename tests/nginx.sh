#!/usr/bin/env bash
# An nginx with its default settings as an upstream over TLS and HTTP/2 loses no request: it ends each connection after
# 1,000 requests (or 20), and what it has not processed by then is sent again.
#
#   tests/nginx.sh path/to/backstop      as root, with nginx, openssl, iproute2, curl
#
# Two network namespaces without any route to elsewhere, 80 ms apart if the system can delay packets.
source "$(dirname "$0")/namespaces.sh"
there="backstop-$$-b"
space "$here"
space "$there"
cable "$here" near 10.200.8.1/24 "$there" far 10.200.8.2/24
tc -n "$there" qdisc add dev far root netem delay 80ms 2>/dev/null || echo "nginx.sh: packets cannot be delayed here"

certificate nginx 10.200.8.2 IP:10.200.8.2
server() {
    cat <<CONF
    server {
        listen 10.200.8.2:$1 ssl http2;
        ssl_certificate $folder/nginx.pem;
        ssl_certificate_key $folder/nginx.key;
        $2
        location / { return 200 '$answer'; }
    }
CONF
}
nginx_with "$there" <<CONF
$(server 4443 "")
$(server 4444 "keepalive_requests 20;")
CONF
# A certificate that is its own authority is accepted as ca_file.
cat >"$folder/backstop.yaml" <<YAML
upstreams:
  usual: {provider: openai-compatible, base_url: "https://10.200.8.2:4443/v1", ca_file: $folder/nginx.pem}
  short: {provider: openai-compatible, base_url: "https://10.200.8.2:4444/v1", ca_file: $folder/nginx.pem}
routes:
  - {models: [usual], candidates: [{upstream: usual}]}
  - {models: [short], candidates: [{upstream: short}]}
YAML
serve

for model in usual short; do
    inside curl -sZ --parallel-max 32 --parallel-immediate -o /dev/null -w '%{http_code} %header{x-backstop-attempts}\n' \
        "http://127.0.0.1:4000/v1/chat/completions?[1-5000]" -d "{\"model\":\"$model\",\"messages\":[]}" \
        >"$folder/$model" 2>/dev/null || fail "$model: curl failed"
    well=$(grep -c "^200 $model;outcome=ok[^,]*$" "$folder/$model" || true)
    [ "$well" = 5000 ] || {
        sort "$folder/$model" | sed 's/;ms.*//' | uniq -c >&2
        fail "$model: $well of 5000 were answered at once"
    }
done
metrics=$(inside curl -s http://127.0.0.1:4001/metrics)
if grep '^backstop_attempts_total' <<<"$metrics" | grep -v -e 'outcome="ok"' -e ' 0$'; then fail "somebody was blamed"; fi
if grep '^backstop_upstream_state{' <<<"$metrics" | grep -v ' 0$'; then fail "somebody is out of rotation"; fi
echo "nginx.sh: 10,000 requests, none failed, none blamed"
