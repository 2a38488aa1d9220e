#!/usr/bin/env bash
# A machine whose only way out is a forward proxy: upstreams, a webhook and a collector of traces are reached through it,
# their certificates are checked, and what the proxy refuses is told.
#
#   tests/proxy.sh path/to/backstop      as root, with tinyproxy, nginx, openssl, iproute2, curl
#
# Three network namespaces without any route to elsewhere: ours, the proxy's, and that of the upstreams. Their names are
# known to the proxy alone.
source "$(dirname "$0")/namespaces.sh"
between="backstop-$$-b" there="backstop-$$-c"
for name in "$here" "$between" "$there"; do space "$name"; done
cable "$here" near 10.200.9.1/30 "$between" inside 10.200.9.2/30
cable "$between" outside 10.200.9.5/30 "$there" far 10.200.9.6/30
# Packets leave for the upstreams, but nobody passes them on.
ip -n "$here" route add default via 10.200.9.2
hosts "$between" '10.200.9.6 secure.test other.test plain.test told.test\n'

for name in secure other; do certificate "$name" "$name.test" "DNS:$name.test"; done
# Not an authority: it may stand in the platform's store.
certificate told told.test DNS:told.test -extensions v3_req
nginx_with "$there" <<CONF
    server {
        listen 10.200.9.6:443 ssl http2;
        ssl_certificate $folder/secure.pem;
        ssl_certificate_key $folder/secure.key;
        location / { return 200 '$answer'; }
    }
    server {
        listen 10.200.9.6:443 ssl http2;
        server_name told.test;
        ssl_certificate $folder/told.pem;
        ssl_certificate_key $folder/told.key;
        access_log $folder/told.log;
        location / { return 200; }
    }
    server {
        listen 10.200.9.6:8000;
        location / { return 200 '$answer'; }
    }
CONF
cat >"$folder/tinyproxy.conf" <<CONF
Port 8888
Listen 10.200.9.2
BasicAuth user pass-word
ConnectPort 443
Timeout 60
CONF
start "$between" tinyproxy -d -c "$folder/tinyproxy.conf" >"$folder/tinyproxy.log" 2>&1

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
notify: [{url: "https://told.test/hook"}]
traces: {endpoint: "https://told.test"}
YAML
proxy=http://user:pass-word@10.200.9.2:8888
# The receivers' certificate is in the platform's store.
serve SSL_CERT_FILE="$folder/told.pem" HTTPS_PROXY="$proxy" http_proxy="$proxy" NO_PROXY=127.0.0.0/8

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
# What has failed is traced, and that upstreams are out is news.
for path in /hook /v1/traces; do
    for _ in $(seq 100); do
        grep -qs "POST $path HTTP/[0-9.]*\" 200" "$folder/told.log" && continue 2
        sleep 0.1
    done
    fail "nothing came to $path: $(cat "$folder/told.log")"
done
grep -q 'reached through the forward proxy http://10.200.9.2:8888' "$folder/log" || fail "the log names no proxy"
if grep -q 'pass-word\|wrong-word' "$folder/log"; then fail "the log has a password"; fi
echo "proxy.sh: answers through the proxy, and nowhere else"
