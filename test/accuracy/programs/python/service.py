"""A service with a thread for each connection. What a request does is its SHAPE:

one        one call, by the thread itself
sequence   a call to each next service, one after the other, by the thread itself
pool       one call, by a thread of a ThreadPoolExecutor
parallel   a call to each next service at once, by threads of the pool

Each thread keeps a connection to each next service; REUSE=off makes one for each call.
The token goes along in the query.
"""

import http.client
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

NEXT = os.environ["NEXT"].split(",")
REUSE = os.environ.get("REUSE") != "off"
POOL = ThreadPoolExecutor(max_workers=32)
KEPT = threading.local()


def connection(number):
    kept = KEPT.__dict__.setdefault("connections", {})
    if number not in kept:
        kept[number] = http.client.HTTPConnection(NEXT[number])
    return kept[number]


def call(number, truth):
    asked = connection(number)
    asked.request("GET", f"/call{number}?truth={truth}", headers={} if REUSE else {"Connection": "close"})
    body = asked.getresponse().read().decode()
    if truth not in body:
        raise RuntimeError(f"{truth} was answered with {body}")
    return body


def one(truth):
    return call(0, truth)


def sequence(truth):
    return "".join([call(number, truth) for number in range(len(NEXT))])


def pool(truth):
    return POOL.submit(call, 0, truth).result()


def parallel(truth):
    return "".join(POOL.map(call, range(len(NEXT)), [truth] * len(NEXT)))


SHAPES = {"one": one, "sequence": sequence, "pool": pool, "parallel": parallel}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Head and body leave in one write.
    wbufsize = -1

    def do_GET(self):
        truth = parse_qs(urlsplit(self.path).query)["truth"][0]
        body = SHAPES[os.environ.get("SHAPE", "one")](truth).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, *arguments):
        pass


class Server(ThreadingHTTPServer):
    request_queue_size = 1024
    daemon_threads = True


def main():
    host, port = os.environ["LISTEN"].rsplit(":", 1)
    Server((host, int(port)), Handler).serve_forever()


main()
