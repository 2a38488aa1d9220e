"""An upstream that answers as the header `x-answer` says, and prints what it receives.

Usage: upstream.py

The first line printed is its port. Then comes a line of JSON for each request, before it is answered: method, target,
headers (in lower case, sorted) and a hash of the body.
"""

import hashlib
import json
import re
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

printing = threading.Lock()


class Upstream(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body leave together
    disable_nagle_algorithm = True

    def handle_request(self):
        headers = sorted((name.lower(), value) for name, value in self.headers.items())
        headers, body = without_boundary(headers, self.body())
        received = {
            "method": self.command,
            "target": self.path,
            "headers": headers,
            "body": hashlib.sha256(body).hexdigest(),
        }
        with printing:
            print(json.dumps(received), flush=True)
        self.answer(json.loads(self.headers.get("x-answer", "{}")))

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = handle_request

    def body(self):
        if self.headers.get("transfer-encoding", "").lower() == "chunked":
            return b"".join(iter(self.chunk, b""))
        return self.rfile.read(int(self.headers.get("content-length", 0)))

    def chunk(self):
        data = self.rfile.read(int(self.rfile.readline(), 16))
        self.rfile.readline()
        return data

    def answer(self, told):
        body = told.get("body", "{}").encode()
        self.send_response(200)
        self.send_header("content-type", told.get("type", "application/json"))
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_):
        pass


def without_boundary(headers, body):
    """A form's boundary is random: take a fixed one instead."""
    kind = dict(headers).get("content-type", "")
    found = re.search(r"boundary=([^;]+)", kind)
    if not found:
        return headers, body
    boundary = found[1]
    headers = [(name, value.replace(boundary, "boundary")) for name, value in headers]
    return headers, body.replace(boundary.encode(), b"boundary")


class Server(ThreadingHTTPServer):
    request_queue_size = 128


def main():
    if len(sys.argv) != 1:
        sys.exit(__doc__)
    with Server(("127.0.0.1", 0), Upstream) as server:
        print(server.server_port, flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
