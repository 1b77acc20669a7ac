"""httpx with HTTP/2, by prior knowledge or by ALPN, at an upstream that answers with the request's body."""
import asyncio
import sys

import httpx

url = sys.argv[1]
limits = httpx.Limits(max_connections=1)
body = bytes(range(256)) * 4000


def pieces():
    for _ in range(100):
        yield b"a" * 1000
        yield b"b"


with httpx.Client(http1=False, http2=True, verify=False, timeout=20, limits=limits) as client:
    for _ in range(3):
        answer = client.post(url + "/p", content=body)
        assert (answer.http_version, answer.status_code) == ("HTTP/2", 200), answer
        assert answer.content == body
        assert "apigw-requestid" in answer.headers
        answer = client.post(url + "/pieces", content=pieces())
        assert answer.content == b"".join(pieces())
        assert client.get(url + "/g", params={"q": "ä ö"}).content == b""
        assert client.head(url + "/h").status_code == 200
        with client.stream("POST", url + "/s", content=body) as answer:
            assert b"".join(answer.iter_bytes()) == body
    assert client.request("BREW", url + "/").status_code == 501


async def many():
    async with httpx.AsyncClient(
        http1=False, http2=True, verify=False, timeout=20, limits=limits
    ) as client:
        sent = [b"%d" % number * 50 for number in range(200)]
        answers = await asyncio.gather(*(client.post(url + "/m", content=one) for one in sent))
        assert [answer.content for answer in answers] == sent


asyncio.run(many())
print("fine")
