#!/usr/bin/env bash
# A machine whose only way out is a forward proxy: upstreams are reached through it, their certificates are checked, and
# what the proxy refuses is told.
#
#   tests/proxy.sh path/to/backstop      as root, with tinyproxy, nginx, openssl, iproute2, curl
#
# Three network namespaces without any route to elsewhere: ours, the proxy's, and that of the upstreams. Their names are
# known to the proxy alone.
set -euo pipefail
backstop=$(realpath "$1")
here="backstop-$$-a" between="backstop-$$-b" there="backstop-$$-c"
folder=$(mktemp -d)
children=()
cleanup() {
    for child in "${children[@]}"; do kill "$child" 2>/dev/null || true; done
    for space in "$here" "$between" "$there"; do ip netns del "$space" 2>/dev/null || true; done
    rm -rf "$folder" "/etc/netns/$between"
}
trap cleanup EXIT
fail() {
    echo "proxy.sh: $*" >&2
    tail -20 "$folder/log" >&2
    exit 1
}

for space in "$here" "$between" "$there"; do
    ip netns add "$space"
    ip -n "$space" link set lo up
done
ip link add near netns "$here" type veth peer name inside netns "$between"
ip link add outside netns "$between" type veth peer name far netns "$there"
ip -n "$here" addr add 10.200.9.1/30 dev near
ip -n "$between" addr add 10.200.9.2/30 dev inside
ip -n "$between" addr add 10.200.9.5/30 dev outside
ip -n "$there" addr add 10.200.9.6/30 dev far
for link in "$here near" "$between inside" "$between outside" "$there far"; do
    read -r space name <<<"$link"
    ip -n "$space" link set "$name" up
done
# Packets leave for the upstreams, but nobody passes them on.
ip -n "$here" route add default via 10.200.9.2
mkdir -p "/etc/netns/$between"
printf '127.0.0.1 localhost\n10.200.9.6 secure.test other.test plain.test\n' >"/etc/netns/$between/hosts"

for name in secure other; do
    openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj "/CN=$name.test" -addext "subjectAltName=DNS:$name.test" \
        -keyout "$folder/$name.key" -out "$folder/$name.pem" 2>/dev/null
done
answer='{"choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}]}'
cat >"$folder/nginx.conf" <<CONF
pid $folder/nginx.pid;
error_log $folder/error.log;
daemon off;
events {}
http {
    access_log off;
    default_type application/json;
    client_body_temp_path $folder;
    proxy_temp_path $folder;
    fastcgi_temp_path $folder;
    uwsgi_temp_path $folder;
    scgi_temp_path $folder;
    server {
        listen 10.200.9.6:443 ssl http2;
        ssl_certificate $folder/secure.pem;
        ssl_certificate_key $folder/secure.key;
        location / { return 200 '$answer'; }
    }
    server {
        listen 10.200.9.6:8000;
        location / { return 200 '$answer'; }
    }
}
CONF
ip netns exec "$there" nginx -c "$folder/nginx.conf" -e "$folder/error.log" &
children+=($!)
cat >"$folder/tinyproxy.conf" <<CONF
Port 8888
Listen 10.200.9.2
BasicAuth user pass-word
ConnectPort 443
Timeout 60
CONF
ip netns exec "$between" tinyproxy -d -c "$folder/tinyproxy.conf" >"$folder/tinyproxy.log" 2>&1 &
children+=($!)

cat >"$folder/backstop.yaml" <<YAML
upstreams:
  secure: {provider: openai-compatible, base_url: "https://secure.test/v1", ca_file: $folder/secure.pem}
  plain: {provider: openai-compatible, base_url: "http://plain.test:8000/v1"}
  # Another server's certificate.
  wrong: {provider: openai-compatible, base_url: "https://other.test/v1", ca_file: $folder/other.pem}
  # The proxy opens no tunnel to this port.
  forbidden: {provider: openai-compatible, base_url: "https://secure.test:8443/v1", ca_file: $folder/secure.pem}
  stranger: {provider: openai-compatible, base_url: "https://secure.test/v1", ca_file: $folder/secure.pem, proxy: "http://user:wrong-word@10.200.9.2:8888"}
  direct: {provider: openai-compatible, base_url: "http://10.200.9.6:8000/v1", proxy: none}
routes:
  - {models: [secure], candidates: [{upstream: secure}]}
  - {models: [plain], candidates: [{upstream: plain}]}
  - {models: [wrong], candidates: [{upstream: wrong}]}
  - {models: [forbidden], candidates: [{upstream: forbidden}]}
  - {models: [stranger], candidates: [{upstream: stranger}]}
  - {models: [direct], candidates: [{upstream: direct}]}
timeouts: {connect: 1s}
YAML
proxy=http://user:pass-word@10.200.9.2:8888
ip netns exec "$here" env HTTPS_PROXY="$proxy" http_proxy="$proxy" NO_PROXY=127.0.0.0/8 \
    "$backstop" serve --config "$folder/backstop.yaml" >/dev/null 2>"$folder/log" &
children+=($!)
inside() { ip netns exec "$here" "$@"; }
for _ in $(seq 100); do
    inside curl -fs http://127.0.0.1:4001/readyz >/dev/null && break
    sleep 0.1
done

# expect MODEL STATUS OUTCOME: one request, and how its first attempt ended.
expect() {
    local seen
    seen=$(inside curl -s -m 20 -o /dev/null -w '%{http_code} %header{x-backstop-attempts}' \
        http://127.0.0.1:4000/v1/chat/completions -d "{\"model\":\"$1\",\"messages\":[]}")
    [[ "$seen" == $2" $1;outcome=$3"* ]] || fail "$1: $seen instead of $2, $3"
}
for _ in 1 2 3; do
    expect secure 200 ok
    expect plain 200 ok
done
expect wrong '50?' tls_failed
expect forbidden '50?' proxy_failed
expect stranger '50?' proxy_failed
expect direct '50?' connect_timeout
[ "$(grep -c 'CONNECT secure.test:443' "$folder/tinyproxy.log")" -ge 1 ] || fail "the proxy saw no tunnel"
grep -q 'reached through the forward proxy http://10.200.9.2:8888' "$folder/log" || fail "the log names no proxy"
if grep -q 'pass-word\|wrong-word' "$folder/log"; then fail "the log has a password"; fi
echo "proxy.sh: answers through the proxy, and nowhere else"
