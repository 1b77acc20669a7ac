"""PyJWT signs tokens of two user pools for tests/it/cognito.rs: sound ones, and confused ones.

Prints {"a": JWKS, "b": JWKS, "rotated": JWKS, "tokens": {name: token}}.
"""

import json
import time

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

A = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_A"
B = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_B"
OTHER = "https://oidc.example"
now = int(time.time())
key_a, key_b, key_new, key_evil = (
    rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in range(4)
)


def jwk(key, kid):
    return {**RSAAlgorithm.to_jwk(key.public_key(), as_dict=True), "kid": kid, "use": "sig"}


def sign(key, iss, kid="k", algorithm="RS256", headers=None, **more):
    claims = {"iss": iss, "sub": "alice", "iat": now - 60, "exp": now + 3600, **more}
    claims = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode(claims, key, algorithm, {"kid": kid, **(headers or {})})


ID = {"token_use": "id", "aud": "client1", "custom:role": "admin"}
ACCESS = {"token_use": "access", "client_id": "client1", "scope": "pets/read openid"}
tokens = {
    "id-a": sign(key_a, A, **ID),
    "id-b": sign(key_b, B, **ID),
    "access-a": sign(key_a, A, **ACCESS),
    "access-b": sign(key_b, B, **ACCESS),
    "id-with-scope": sign(key_a, A, **{**ID, "scope": "pets/read"}),
    "access-poor": sign(key_a, A, **{**ACCESS, "scope": "openid"}),
    "id-other-client": sign(key_a, A, **{**ID, "aud": "client12"}),
    "access-other-client": sign(key_a, A, **{**ACCESS, "client_id": "x"}),
    "id-no-aud": sign(key_a, A, **{**ID, "aud": None}),
    # Both pools have a key called k.
    "iss-a-key-b": sign(key_b, A, **ID),
    "iss-b-key-a": sign(key_a, B, **ID),
    "iss-other": sign(key_a, "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_C", **ID),
    "iss-none": sign(key_a, None, **ID),
    "iss-longer": sign(key_a, A + "/", **ID),
    "evil": sign(key_evil, A, **ID),
    "rs512": sign(key_a, A, algorithm="RS512", **ID),
    "expired": sign(key_a, A, **{**ID, "exp": now - 1}),
    "use-none": sign(key_a, A, aud="client1", scope="pets/read"),
    "use-odd": sign(key_a, A, **{**ID, "token_use": "refresh"}),
    "use-list": sign(key_a, A, **{**ID, "token_use": ["id", "access"]}),
    "new": sign(key_new, A, kid="new", **ID),
    # A server that stands in for a pool and has no token_use.
    "oidc": sign(key_a, OTHER, aud="client1", scope="pets/read"),
    "oidc-at": sign(key_a, OTHER, aud="client1", scope="pets/read", headers={"typ": "at+jwt"}),
}
print(json.dumps({
    "a": {"keys": [jwk(key_a, "k")]},
    "b": {"keys": [jwk(key_b, "k")]},
    "rotated": {"keys": [jwk(key_new, "new")]},
    "tokens": tokens,
}))
