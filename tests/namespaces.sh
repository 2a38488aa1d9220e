# For the scripts that need networks of their own, which source it: namespaces without any route to elsewhere, what runs
# in them, and its end. `here` is the namespace of the backstop under test.
set -euo pipefail
backstop=$(realpath "$1")
here="backstop-$$-a"
folder=$(mktemp -d)
children=()
spaces=()
cleanup() {
    for child in "${children[@]}"; do kill "$child" 2>/dev/null || true; done
    for space in "${spaces[@]}"; do
        ip netns del "$space" 2>/dev/null || true
        rm -rf "/etc/netns/$space"
    done
    rm -rf "$folder"
}
trap cleanup EXIT
fail() {
    echo "$(basename "$0"): $*" >&2
    tail -50 "$folder/log" >&2
    exit 1
}

# space NAME: adds a namespace.
space() {
    spaces+=("$1")
    ip netns add "$1"
    ip -n "$1" link set lo up
}
# cable SPACE LINK ADDRESS SPACE LINK ADDRESS: joins two namespaces.
cable() {
    ip link add "$2" netns "$1" type veth peer name "$5" netns "$4"
    ip -n "$1" addr add "$3" dev "$2"
    ip -n "$4" addr add "$6" dev "$5"
    ip -n "$1" link set "$2" up
    ip -n "$4" link set "$5" up
}
# hosts SPACE LINES: the names that are known there.
hosts() {
    mkdir -p "/etc/netns/$1"
    printf "127.0.0.1 localhost\n$2" >"/etc/netns/$1/hosts"
}
# start SPACE COMMAND...: runs it there until the end of the script.
start() {
    ip netns exec "$@" &
    children+=($!)
}
inside() { ip netns exec "$here" "$@"; }

# certificate FILE NAME SUBJECT OPTION...: one that is its own authority, as `openssl req -x509` makes it, and its key.
certificate() {
    openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj "/CN=$2" -addext "subjectAltName=$3" \
        -keyout "$folder/$1.key" -out "$folder/$1.pem" "${@:4}" 2>/dev/null
}
answer='{"choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}]}'
# nginx_with SPACE: starts an nginx with these servers, from standard input.
nginx_with() {
    {
        cat <<CONF
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
CONF
        cat
        echo "}"
    } >"$folder/nginx.conf"
    start "$1" nginx -c "$folder/nginx.conf" -e "$folder/error.log"
}
# serve VARIABLE=VALUE...: starts the backstop with the configuration in the folder, and waits until it is ready.
serve() {
    start "$here" env "$@" "$backstop" serve --config "$folder/backstop.yaml" >/dev/null 2>"$folder/log"
    for _ in $(seq 100); do
        inside curl -fs http://127.0.0.1:4001/readyz >/dev/null && return
        sleep 0.1
    done
}
