"""One of the demo's services: a thread per connection, standard library only.

It answers GET /inventory/ID, after asking the next service for /prices/ID where
there is one. An ID that ends in 13 fails with status 500 after that.
"""

import argparse
import http.client
import http.server
import os
import threading

local = threading.local()


def ask(address, path):
    """GET path over this thread's own connection, opened anew where the server closed it."""
    for connection in (getattr(local, "connection", None), None):
        try:
            connection = connection or http.client.HTTPConnection(address, timeout=30)
            connection.request("GET", path)
            response = connection.getresponse()
            body = response.read()
            local.connection = connection
            return response.status, body
        except (http.client.RemoteDisconnected, ConnectionError) as error:
            local.connection, failure = None, error
    raise failure


class Inventory(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # keeps connections open
    disable_nagle_algorithm = True  # head and body are sent apart
    following = None

    def do_GET(self):
        number = self.path.rsplit("/", 1)[-1]
        status, price = 200, b"no prices\n"
        try:
            if self.following:
                status, price = ask(self.following, f"/prices/{number}")
            if number.endswith("13"):
                status = 500
        except OSError as error:
            status, price = 502, f"{error}\n".encode()
        self.answer(status, f"stock {number}: ".encode() + price)

    def answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """The demo needs no access log."""


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--listen", default=os.environ.get("LISTEN") or "127.0.0.1:8082")
    parser.add_argument("--next", default=os.environ.get("NEXT"), help="address of the next service; none if empty")
    options = parser.parse_args()
    Inventory.following = options.next
    host, port = options.listen.rsplit(":", 1)
    Server((host, int(port)), Inventory).serve_forever()


main()
