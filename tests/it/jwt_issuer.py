"""An OpenID Connect issuer on 127.0.0.1:PORT for tests/it/jwt_issuer.rs, which rotates its keys.

GET /token signs one with the newest key; /rotate makes a new key and forgets the old one; /counts
tells how often discovery and the keys were asked for; /break has the keys answer nonsense.
"""

import json
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

PORT = int(sys.argv[1])
ISSUER = f"http://127.0.0.1:{PORT}"
spare = [rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in range(3)]
keys = [("key-1", spare.pop())]
counts = {"discovery": 0, "keys": 0}
broken = []


class Issuer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        kid, key = keys[-1]
        if self.path == "/.well-known/openid-configuration":
            counts["discovery"] += 1
            body = json.dumps({"issuer": ISSUER, "jwks_uri": f"{ISSUER}/keys"})
        elif self.path == "/keys":
            counts["keys"] += 1
            public = RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
            body = "{" if broken else json.dumps({"keys": [{**public, "kid": kid, "use": "sig"}]})
        elif self.path == "/token":
            now = int(time.time())
            claims = {"iss": ISSUER, "aud": "pets", "sub": "alice", "iat": now - 1, "exp": now + 600}
            body = jwt.encode(claims, key, "RS256", {"kid": kid})
        elif self.path == "/rotate":
            keys[:] = [(f"key-{len(spare)}-new", spare.pop())]
            body = "rotated"
        elif self.path == "/break":
            broken.append(True)
            body = "broken"
        else:
            body = json.dumps(counts)
        body = body.encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("cache-control", "public, max-age=600")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


ThreadingHTTPServer(("127.0.0.1", PORT), Issuer).serve_forever()
