# A gRPC server and client by Debian's python3-grpcio, which is written in C.
#   grpc_echo.py server PORT    answers each call with what it was asked, /test.Echo/Fail with NOT_FOUND
#   grpc_echo.py client PORT N  makes N calls by eight threads on one connection, each tenth to /test.Echo/Fail
import sys
from concurrent import futures

import grpc

what, port = sys.argv[1], sys.argv[2]


class Handler(grpc.GenericRpcHandler):
    def service(self, details):
        def serve(message, context):
            if details.method.endswith("/Fail"):
                context.abort(grpc.StatusCode.NOT_FOUND, "no such thing")
            return message

        return grpc.unary_unary_rpc_method_handler(serve)


if what == "server":
    server = grpc.server(futures.ThreadPoolExecutor(8))
    server.add_generic_rpc_handlers((Handler(),))
    server.add_insecure_port("127.0.0.1:" + port)
    server.start()
    server.wait_for_termination()

channel = grpc.insecure_channel("127.0.0.1:" + port)
grpc.channel_ready_future(channel).result(20)


def call(i):
    name = "Fail" if i % 10 == 0 else "Say%d" % (i % 3)
    try:
        assert channel.unary_unary("/test.Echo/" + name)(b"hello %d" % i, timeout=20) == b"hello %d" % i
    except grpc.RpcError as e:
        assert e.code() == grpc.StatusCode.NOT_FOUND, e


with futures.ThreadPoolExecutor(8) as pool:
    list(pool.map(call, range(int(sys.argv[3]))))
