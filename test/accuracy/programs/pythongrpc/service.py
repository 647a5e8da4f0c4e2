"""A service of gRPC's (grpcio) that calls the next one by gRPC. What a request does is its SHAPE:

one      one call, by the thread of the server's pool that handles the request
asyncio  one call, by grpc.aio: server and client on one event loop

All calls share a connection, as they do unless a program asks for more. The token goes along as the method's name.
"""

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor

import grpc
import grpc.aio

PREFIX = "/chain.Chain/truth="
LISTEN, NEXT = os.environ["LISTEN"], os.environ["NEXT"]


def check(path, answer):
    if path.removeprefix(PREFIX).encode() not in answer:
        raise RuntimeError(f"{path} was answered with {answer}")
    return answer


class Handler(grpc.GenericRpcHandler):
    """Each token is a method."""

    def __init__(self, handle):
        self.handle = handle

    def service(self, details):
        if not details.method.startswith(PREFIX):
            return None
        return grpc.unary_unary_rpc_method_handler(self.handle(details.method))


def threads():
    channel = grpc.insecure_channel(NEXT)

    def handle(path):
        return lambda question, _: check(path, channel.unary_unary(path)(question))

    server = grpc.server(ThreadPoolExecutor(max_workers=32), [Handler(handle)])
    server.add_insecure_port(LISTEN)
    server.start()
    server.wait_for_termination()


async def loop():
    channel = grpc.aio.insecure_channel(NEXT)

    def handle(path):
        async def one(question, _):
            return check(path, await channel.unary_unary(path)(question))

        return one

    server = grpc.aio.server(handlers=[Handler(handle)])
    server.add_insecure_port(LISTEN)
    await server.start()
    await server.wait_for_termination()


if os.environ.get("SHAPE") == "asyncio":
    asyncio.run(loop())
else:
    threads()
