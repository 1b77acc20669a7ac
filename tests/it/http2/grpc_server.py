"""A gRPC server without a schema: messages are bytes. Prints its port; ends with its input."""
import sys
import time
from concurrent import futures

import grpc

cancelled = 0


def unary(request, context):
    sent = dict(context.invocation_metadata())
    context.send_initial_metadata((("x-initial", "1"),))
    context.set_trailing_metadata(
        (("x-trailing", sent.get("x-sent", "")), ("x-bytes-bin", sent.get("x-sent-bin", b"")))
    )
    return request[::-1]


def count(request, context):
    for number in range(int(request)):
        yield b"%d" % number
    context.set_trailing_metadata((("x-counted", request.decode()),))


def add(requests, context):
    return b"%d" % sum(int(request) for request in requests)


def talk(requests, context):
    yield b"hello"
    for request in requests:
        yield b"re: " + request


def fail(request, context):
    context.set_trailing_metadata((("x-why", "because"),))
    context.abort(grpc.StatusCode.FAILED_PRECONDITION, "nicht möglich: 50 %")


def fail_late(request, context):
    yield b"one"
    context.abort(grpc.StatusCode.DATA_LOSS, "in the middle")


def sleep(request, context):
    global cancelled
    while context.is_active() and context.time_remaining() > 0:
        time.sleep(0.01)
    cancelled += 1
    return b"late"


def is_cancelled(request, context):
    return b"%d" % cancelled


UNARY = {"Unary": unary, "Fail": fail, "Sleep": sleep, "IsCancelled": is_cancelled}


class Methods(grpc.GenericRpcHandler):
    def service(self, details):
        name = details.method.removeprefix("/it.Test/")
        if name in UNARY:
            return grpc.unary_unary_rpc_method_handler(UNARY[name])
        if name in ("Count", "FailLate"):
            method = count if name == "Count" else fail_late
            return grpc.unary_stream_rpc_method_handler(method)
        if name == "Add":
            return grpc.stream_unary_rpc_method_handler(add)
        if name == "Talk":
            return grpc.stream_stream_rpc_method_handler(talk)
        return None


server = grpc.server(futures.ThreadPoolExecutor(max_workers=64))
server.add_generic_rpc_handlers((Methods(),))
if len(sys.argv) > 1:
    # Certificate, key, and the authority of the clients, who have to show a certificate.
    chain, key, authority = (open(name, "rb").read() for name in sys.argv[1:4])
    credentials = grpc.ssl_server_credentials([(key, chain)], authority, require_client_auth=True)
    port = server.add_secure_port("127.0.0.1:0", credentials)
else:
    port = server.add_insecure_port("127.0.0.1:0")
server.start()
print(port, flush=True)
sys.stdin.read()
server.stop(None)
