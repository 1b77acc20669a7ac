"""PyJWT signs tokens for tests/it/jwt.rs: sound ones, and forged ones.

Prints {"jwks": .., "rotated": .., "tokens": {name: token}}.
"""

import base64
import hashlib
import hmac
import json
import time

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

ISSUER = "https://issuer.example"
now = int(time.time())
old, new = (rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in range(2))
p256, ed = ec.generate_private_key(ec.SECP256R1()), ed25519.Ed25519PrivateKey.generate()


def jwk(algorithm, key, kid):
    return {**algorithm.to_jwk(key.public_key(), as_dict=True), "kid": kid, "use": "sig"}


def claims(**more):
    found = {"iss": ISSUER, "aud": "pets", "sub": "alice", "iat": now - 60, "nbf": now - 60,
             "exp": now + 3600, "scope": "pets.read other", "roles": ["a", "b"], **more}
    return {name: value for name, value in found.items() if value is not None}


def sign(key=old, algorithm="RS256", kid="old", headers=None, **more):
    return jwt.encode(claims(**more), key, algorithm, {"kid": kid, **(headers or {})})


def part(value):
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def by_hand(header, signature):
    signed = f"{part(header)}.{part(claims())}"
    return f"{signed}.{base64.urlsafe_b64encode(signature(signed)).rstrip(b'=').decode()}"


pem = old.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
evil = jwk(RSAAlgorithm, new, "old")
crlf = "x\r\nx-injected: yes"
tokens = {
    "sound": sign(),
    "rs512": sign(algorithm="RS512"),
    "es256": sign(p256, "ES256", "p256"),
    "eddsa": sign(ed, "EdDSA", "ed"),
    "by-client": sign(aud=None, client_id="pets"),
    "bob": sign(sub="bob"),
    "writer": sign(scope=None, scp=["pets.write"]),
    "new": sign(new, kid="new"),
    "crlf": sign(sub=crlf),
    "short": sign(exp=now + 8),
    "expired": sign(exp=now - 1),
    "early": sign(nbf=now + 3600),
    "later": sign(iat=now + 3600),
    "eternal": sign(exp=None),
    "other-issuer": sign(iss="https://evil.example"),
    "other-audience": sign(aud=["toys"]),
    "other-key": sign(new, kid="old"),
    "unknown-key": sign(new, kid="nobody"),
    "pss": sign(algorithm="PS256"),
    "none": by_hand({"alg": "none", "kid": "old"}, lambda _: b""),
    "none-signed": by_hand({"alg": "none", "kid": "old"}, lambda _: b"x"),
    "hmac": by_hand({"alg": "HS256", "kid": "old"},
                    lambda text: hmac.new(pem, text.encode(), hashlib.sha256).digest()),
    "own-key": sign(new, headers={"jwk": evil}),
    "own-address": sign(new, headers={"jku": "https://evil.example/keys"}),
    "path": sign(kid="../../../dev/null"),
    "address": sign(kid="https://evil.example/keys"),
    "critical": sign(headers={"crit": ["exp"]}),
    "long": sign(pad="x" * 7000),
}
jwks = [jwk(RSAAlgorithm, old, "old"), jwk(ECAlgorithm, p256, "p256"), jwk(OKPAlgorithm, ed, "ed")]
print(json.dumps({
    "jwks": {"keys": jwks},
    "rotated": {"keys": [jwk(RSAAlgorithm, new, "new")]},
    "tokens": tokens,
}))
