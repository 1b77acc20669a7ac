"""botocore signs requests and requests sends them, for tests/it/iam.rs.

Reads a JSON list of cases from standard input and prints a JSON list of answers, one for each.
A case: {url, method, key, secret, token, body, chunked, hash, headers, age, region, service,
presign, change, add, add_query, only}; what is left out has a sound value, a body that is a number
is as long as that. An answer: {status, type, text}, or with `only`, which sends nothing, {target,
lines}; always with {canonical, to_sign, signature} as botocore made them.
"""

import datetime
import hashlib
import json
import sys
from unittest import mock

import botocore.auth
import requests
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

session = requests.Session()
session.trust_env = False


class Recording:
    """Keeps what botocore signs."""

    def string_to_sign(self, request, canonical_request):
        self.canonical = canonical_request
        self.to_sign = super().string_to_sign(request, canonical_request)
        return self.to_sign


class Header(Recording, botocore.auth.SigV4Auth):
    pass


class Query(Recording, botocore.auth.SigV4QueryAuth):
    pass


def sign(case, request):
    """Signs, `age` seconds ago."""
    credentials = Credentials(case["key"], case["secret"], case.get("token"))
    scope = case.get("service", "execute-api"), case.get("region", "us-east-1")
    if "presign" in case:
        auth = Query(credentials, *scope, expires=case["presign"])
    else:
        auth = Header(credentials, *scope)
    now = datetime.datetime.now(datetime.timezone.utc)
    then = (now - datetime.timedelta(seconds=case.get("age", 0))).replace(tzinfo=None)
    with mock.patch.object(botocore.auth, "get_current_datetime", lambda *_, **__: then):
        auth.add_auth(request)
    return auth


def body_of(case):
    body = case.get("body", "")
    return ("0123456789abcdef" * (body // 16) if isinstance(body, int) else body).encode()


def pieces(body):
    for start in range(0, len(body), 50_000):
        yield body[start : start + 50_000]


def ask(case):
    body, headers = body_of(case), dict(case.get("headers", {}))
    if case.get("hash"):
        headers["X-Amz-Content-SHA256"] = hashlib.sha256(body).hexdigest()
    request = AWSRequest(case.get("method", "GET"), case["url"], headers, body or None)
    auth = sign(case, request)
    prepared = request.prepare()
    sent = {
        name: value.decode() if isinstance(value, bytes) else value
        for name, value in prepared.headers.items()
        if name.lower() != "content-length"
    }
    sent.update(case.get("add", {}))
    url = prepared.url + case.get("add_query", "")
    made = url if "presign" in case else sent["Authorization"]
    told = {
        "canonical": auth.canonical,
        "to_sign": auth.to_sign,
        "signature": made.split("Signature=")[-1],
    }
    if case.get("only"):
        host, target = url.removeprefix("http://").split("/", 1)
        lines = [f"{name}: {value}" for name, value in {"host": host, **sent}.items()]
        return {**told, "target": f"/{target}", "lines": lines}
    body = case.get("change", "").encode() or body
    data = pieces(body) if case.get("chunked") else body
    # Its URL is set afterwards: a prepared one would be written anew.
    whole = requests.Request(request.method, "http://x/", headers=sent, data=data or None).prepare()
    whole.url = url
    answer = session.send(whole, timeout=20)
    kind = answer.headers.get("x-amzn-errortype")
    return {**told, "status": answer.status_code, "type": kind, "text": answer.text}


print(json.dumps([ask(case) for case in json.load(sys.stdin)]))
