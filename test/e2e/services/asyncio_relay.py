"""A service for the end-to-end tests: one asyncio event loop, standard library only.

It answers GET /orders/ID after asking the next service for the same, over a
connection that it opens for this one call.
"""

import argparse
import asyncio
import os


async def read_message(reader):
    """Read a head and, where it says how long, a body. None at the end of the stream."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    length = 0
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length":
            length = int(value)
    return head, await reader.readexactly(length)


async def ask(address, path):
    host, port = address.rsplit(":", 1)
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        writer.write(b"GET " + path + b" HTTP/1.1\r\nHost: " + address.encode() + b"\r\nConnection: close\r\n\r\n")
        head, body = await read_message(reader)
        return head.split(b" ", 2)[1], body
    finally:
        writer.close()


async def serve(reader, writer, following):
    while message := await read_message(reader):
        status, body = await ask(following, message[0].split(b" ", 2)[1])
        writer.write(b"HTTP/1.1 " + status + b" \r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        await writer.drain()
    writer.close()


async def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--listen", default=os.environ.get("LISTEN"))
    parser.add_argument("--next", default=os.environ.get("NEXT"))
    options = parser.parse_args()
    host, port = options.listen.rsplit(":", 1)
    server = await asyncio.start_server(lambda r, w: serve(r, w, options.next), host, int(port), backlog=128)
    await server.serve_forever()


asyncio.run(main())
