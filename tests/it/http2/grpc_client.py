"""A gRPC client of grpc_server.py: runs the case that its second argument names; by TLS when the
third names an authority to trust."""
import queue
import sys
import time

import grpc

if len(sys.argv) > 3:
    with open(sys.argv[3], "rb") as file:
        authority = grpc.ssl_channel_credentials(file.read())
    options = (("grpc.ssl_target_name_override", "localhost"),)
    channel = grpc.secure_channel(sys.argv[1], authority, options)
else:
    channel = grpc.insecure_channel(sys.argv[1])
TIMEOUT = 20


def method(kind, name):
    return getattr(channel, kind)("/it.Test/" + name)


def unary():
    sent = (("x-sent", "hello"), ("x-sent-bin", b"\x00\x01\xfe\xff"))
    answer, call = method("unary_unary", "Unary").with_call(b"abc", TIMEOUT, sent)
    assert answer == b"cba", answer
    assert call.code() == grpc.StatusCode.OK
    assert ("x-initial", "1") in call.initial_metadata(), call.initial_metadata()
    trailing = dict(call.trailing_metadata())
    assert trailing["x-trailing"] == "hello", trailing
    assert trailing["x-bytes-bin"] == b"\x00\x01\xfe\xff", trailing


def large():
    message = bytes(range(256)) * 12_000
    assert method("unary_unary", "Unary")(message, TIMEOUT) == message[::-1]


def empty():
    assert method("unary_unary", "Unary")(b"", TIMEOUT) == b""


def server_streaming():
    call = method("unary_stream", "Count")(b"2000", TIMEOUT)
    assert list(call) == [b"%d" % number for number in range(2000)]
    assert ("x-counted", "2000") in call.trailing_metadata()


def client_streaming():
    numbers = (b"%d" % number for number in range(2000))
    assert method("stream_unary", "Add")(numbers, TIMEOUT) == b"1999000"


def bidirectional():
    """Each message is sent when the answer to the one before is here: nothing is held back."""
    messages = queue.Queue()
    call = method("stream_stream", "Talk")(iter(messages.get, None), TIMEOUT)
    assert next(call) == b"hello"
    for number in range(100):
        messages.put(b"%d" % number)
        assert next(call) == b"re: %d" % number
    messages.put(None)
    assert list(call) == []
    assert call.code() == grpc.StatusCode.OK


def resting():
    """A stream may be silent for a while."""
    messages = queue.Queue()
    call = method("stream_stream", "Talk")(iter(messages.get, None), TIMEOUT)
    assert next(call) == b"hello"
    time.sleep(3)
    messages.put(b"still there")
    assert next(call) == b"re: still there"
    messages.put(None)


def error(name="Fail"):
    try:
        method("unary_unary", "Fail")(b"", TIMEOUT)
    except grpc.RpcError as failed:
        assert failed.code() == grpc.StatusCode.FAILED_PRECONDITION, failed
        assert failed.details() == "nicht möglich: 50 %", failed
        assert ("x-why", "because") in failed.trailing_metadata(), failed
    else:
        raise AssertionError("no error")


def error_in_the_middle():
    call = method("unary_stream", "FailLate")(b"", TIMEOUT)
    assert next(call) == b"one"
    try:
        next(call)
    except grpc.RpcError as failed:
        assert failed.code() == grpc.StatusCode.DATA_LOSS, failed
    else:
        raise AssertionError("no error")


def unknown_method():
    try:
        method("unary_unary", "Nothing")(b"", TIMEOUT)
    except grpc.RpcError as failed:
        assert failed.code() == grpc.StatusCode.UNIMPLEMENTED, failed
    else:
        raise AssertionError("no error")


def deadline():
    before = int(method("unary_unary", "IsCancelled")(b"", TIMEOUT))
    try:
        method("unary_unary", "Sleep")(b"", 2)
    except grpc.RpcError as failed:
        assert failed.code() == grpc.StatusCode.DEADLINE_EXCEEDED, failed
    else:
        raise AssertionError("no error")
    wait_until_cancelled(before)


def cancellation():
    before = int(method("unary_unary", "IsCancelled")(b"", TIMEOUT))
    call = method("unary_unary", "Sleep").future(b"", TIMEOUT)
    time.sleep(1)
    call.cancel()
    wait_until_cancelled(before)


def wait_until_cancelled(before):
    """The server has to hear of it, long before the call's own time is up."""
    end = time.monotonic() + 10
    while int(method("unary_unary", "IsCancelled")(b"", TIMEOUT)) <= before:
        assert time.monotonic() < end, "the server still works on it"
        time.sleep(0.05)


def side_by_side():
    calls = [method("unary_unary", "Unary").future(b"%d" % number, TIMEOUT) for number in range(300)]
    for number, call in enumerate(calls):
        assert call.result() == (b"%d" % number)[::-1]


globals()[sys.argv[2]]()
print("fine")
