#!/usr/bin/env bash
# An nginx with its default settings as an upstream over TLS and HTTP/2 loses no request: it ends each connection after
# 1,000 requests (or 20), and what it has not processed by then is sent again.
#
#   tests/nginx.sh path/to/backstop      as root, with nginx, openssl, iproute2, curl
#
# Two network namespaces without any route to elsewhere, 80 ms apart if the system can delay packets.
set -euo pipefail
backstop=$(realpath "$1")
here="backstop-$$-a" there="backstop-$$-b"
folder=$(mktemp -d)
children=()
cleanup() {
    for child in "${children[@]}"; do kill "$child" 2>/dev/null || true; done
    ip netns del "$here" 2>/dev/null || true
    ip netns del "$there" 2>/dev/null || true
    rm -rf "$folder"
}
trap cleanup EXIT
fail() {
    echo "nginx.sh: $*" >&2
    tail -20 "$folder/log" >&2
    exit 1
}

ip netns add "$here"
ip netns add "$there"
ip link add near netns "$here" type veth peer name far netns "$there"
ip -n "$here" addr add 10.200.8.1/24 dev near
ip -n "$there" addr add 10.200.8.2/24 dev far
for link in "$here near" "$here lo" "$there far" "$there lo"; do
    read -r space name <<<"$link"
    ip -n "$space" link set "$name" up
done
tc -n "$there" qdisc add dev far root netem delay 80ms 2>/dev/null || echo "nginx.sh: packets cannot be delayed here"

openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=10.200.8.2 -addext subjectAltName=IP:10.200.8.2 \
    -keyout "$folder/key.pem" -out "$folder/cert.pem" 2>/dev/null
answer='{"choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}]}'
server() {
    cat <<CONF
    server {
        listen 10.200.8.2:$1 ssl http2;
        ssl_certificate $folder/cert.pem;
        ssl_certificate_key $folder/key.pem;
        default_type application/json;
        $2
        location / { return 200 '$answer'; }
    }
CONF
}
cat >"$folder/nginx.conf" <<CONF
pid $folder/nginx.pid;
error_log $folder/error.log;
daemon off;
events {}
http {
    access_log off;
    client_body_temp_path $folder;
    proxy_temp_path $folder;
    fastcgi_temp_path $folder;
    uwsgi_temp_path $folder;
    scgi_temp_path $folder;
$(server 4443 "")
$(server 4444 "keepalive_requests 20;")
}
CONF
ip netns exec "$there" nginx -c "$folder/nginx.conf" -e "$folder/error.log" &
children+=($!)
# `openssl req -x509` makes a certificate that is its own authority; named as ca_file, it is accepted.
cat >"$folder/backstop.yaml" <<YAML
upstreams:
  usual: {provider: openai-compatible, base_url: "https://10.200.8.2:4443/v1", ca_file: $folder/cert.pem}
  short: {provider: openai-compatible, base_url: "https://10.200.8.2:4444/v1", ca_file: $folder/cert.pem}
routes:
  - {models: [usual], candidates: [{upstream: usual}]}
  - {models: [short], candidates: [{upstream: short}]}
YAML
ip netns exec "$here" "$backstop" serve --config "$folder/backstop.yaml" >/dev/null 2>"$folder/log" &
children+=($!)
inside() { ip netns exec "$here" "$@"; }
for _ in $(seq 100); do
    inside curl -fs http://127.0.0.1:4001/readyz >/dev/null && break
    sleep 0.1
done

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
if grep '^backstop_attempts_total' <<<"$metrics" | grep -v 'outcome="ok"'; then fail "somebody was blamed"; fi
if grep '^backstop_upstream_state' <<<"$metrics" | grep -v ' 0$'; then fail "somebody is out of rotation"; fi
echo "nginx.sh: 10,000 requests, none failed, none blamed"
