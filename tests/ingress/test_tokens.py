"""Tokens of OpenID Connect issuers: who is let in, and when keys are read."""

import base64
import hashlib
import hmac
import json
from typing import Any, Final

import pytest
from joserfc import jws
from joserfc.jwk import ECKey, OKPKey, RSAKey
from waypost.ingress.core.tokens import public_keys
from waypost.ports.cluster import Obj

from tests.ingress.place import Place, place

ISSUER: Final = "https://issuer.example/realms/ci"
DISCOVERY: Final = f"{ISSUER}/.well-known/openid-configuration"
JWKS: Final = "https://keys.example/jwks"
AUTH: Final[Obj] = {
    "oidc": {
        "issuer": ISSUER,
        "audience": "https://waypost.example/ci",
        "claims": {"repository": ["octo/hello", "octo/world"], "verified": ["true"]},
    }
}
GOOD: Final[Obj] = {
    "iss": ISSUER,
    "aud": "https://waypost.example/ci",
    "repository": "octo/hello",
    "verified": True,
}
EC: Final = ECKey.generate_key("P-256", {"kid": "one", "use": "sig"})
OTHER: Final = ECKey.generate_key("P-256", {"kid": "two"})
RSA: Final = RSAKey.generate_key(2048, {"kid": "rsa"})
ED: Final = OKPKey.generate_key("Ed25519", {"kid": "ed"})


def key_set(*keys: Any) -> Obj:
    """The document that an issuer publishes."""
    return {"keys": [key.as_dict(private=False) for key in keys]}


def publish(p: Place, *keys: Any, **described: Any) -> None:
    """What the issuer answers."""
    found = {"issuer": ISSUER, "jwks_uri": JWKS, **described}
    p.outside.documents = {
        DISCOVERY: json.dumps(found).encode(),
        JWKS: json.dumps(key_set(*keys)).encode(),
    }


def token(
    p: Place, key: Any = EC, alg: str = "ES256", *, header: Obj | None = None, **claims: Any
) -> dict[str, str]:
    """The header of a request with a token; None leaves a claim out."""
    now = int(p.clock.now().timestamp())
    made = {**GOOD, "iat": now, "exp": now + 300, **claims}
    made = {name: value for name, value in made.items() if value is not None}
    sent = {"alg": alg, "kid": key.kid, **(header or {})}
    sent = {name: value for name, value in sent.items() if value is not None}
    text = joined(sent, made)
    signature = jws.JWSRegistry.algorithms[alg].sign(text.encode(), key)
    return {"authorization": f"Bearer {text}.{base64url(signature)}"}


def base64url(data: bytes) -> str:
    """Base64 as tokens have it."""
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def joined(*parts: Obj) -> str:
    """The part of a token that is signed."""
    return ".".join(base64url(json.dumps(part).encode()) for part in parts)


async def status(p: Place, headers: dict[str, str]) -> int:
    """The status of the answer to a request."""
    return (await p.post(headers=headers)).status_code


@pytest.mark.parametrize(
    ("key", "alg"),
    [
        pytest.param(EC, "ES256", id="elliptic-curve"),
        pytest.param(RSA, "RS256", id="rsa"),
        pytest.param(RSA, "PS512", id="rsa-pss"),
        pytest.param(ED, "Ed25519", id="edwards-curve"),
    ],
)
async def test_a_token_of_the_issuer_is_accepted(key: Any, alg: str) -> None:
    """S698"""
    async with place() as p:
        publish(p, EC, RSA, ED)
        p.source(auth=AUTH)
        assert await status(p, token(p, key, alg)) == 202
        assert p.outside.read == [DISCOVERY, JWKS]


ACCEPTED = [
    pytest.param({"aud": ["x", "https://waypost.example/ci"]}, id="several-audiences"),
    pytest.param({"repository": ["octo/other", "octo/world"]}, id="a-claim-with-a-list"),
    pytest.param({"verified": "true"}, id="a-claim-with-a-text"),
    pytest.param({"exp_in": -30}, id="expired-within-the-leeway"),
    pytest.param({"header": {"kid": None}}, id="without-the-name-of-a-key"),
    pytest.param({"header": {"x-own": "1", "typ": "at+jwt"}}, id="with-headers-of-its-own"),
]
REFUSED = [
    pytest.param({"aud": "https://other.example"}, id="other-audience"),
    pytest.param({"aud": None}, id="no-audience"),
    pytest.param({"iss": f"{ISSUER}/"}, id="other-issuer"),
    pytest.param({"iss": None}, id="no-issuer"),
    pytest.param({"repository": "octo/hello2"}, id="a-value-that-only-begins-so"),
    pytest.param({"repository": None}, id="no-such-claim"),
    pytest.param({"repository": []}, id="empty-list"),
    pytest.param({"verified": False}, id="another-value"),
    pytest.param({"exp_in": -61}, id="expired"),
    pytest.param({"exp": None}, id="never-expires"),
    pytest.param({"exp": "tomorrow"}, id="expiry-is-no-time"),
    pytest.param({"nbf_in": 61}, id="not-yet-valid"),
    pytest.param({"iat": 10**11}, id="issued-in-the-future"),
    pytest.param({"key": OTHER}, id="another-key"),
    pytest.param({"key": OTHER, "header": {"kid": "one"}}, id="another-key-under-its-name"),
    pytest.param({"header": {"crit": ["x"], "x": 1}}, id="critical-header"),
]


def drawn(p: Place, change: Obj) -> dict[str, str]:
    """The header of a row; `exp_in`, `nbf_in`: seconds from now."""
    made = dict(change)
    now = int(p.clock.now().timestamp())
    for name in ("exp", "nbf"):
        if (seconds := made.pop(f"{name}_in", None)) is not None:
            made[name] = now + seconds
    return token(p, made.pop("key", EC), **made)


@pytest.mark.parametrize("change", ACCEPTED)
async def test_tokens_that_are_accepted(change: Obj) -> None:
    """S698"""
    async with place() as p:
        publish(p, EC)
        p.source(auth=AUTH)
        assert await status(p, drawn(p, change)) == 202


@pytest.mark.parametrize("change", REFUSED)
async def test_tokens_that_are_refused(change: Obj) -> None:
    """S698: with the same words as any other sender that is not known."""
    async with place() as p:
        publish(p, EC)
        p.source(auth=AUTH)
        answer = await p.post(headers=drawn(p, change))
        assert answer.status_code == 401
        assert answer.json()["type"] == "urn:waypost:problem:UnknownSender"
        assert p.events() == []


def unsigned(algorithm: str) -> str:
    """A token with good claims and no signature."""
    return joined({"alg": algorithm, "kid": "one"}, {**GOOD, "exp": 10**10}) + "."


def signed_with_the_public_key() -> str:
    """A token whose HMAC has the public key as its secret: an old fault of libraries."""
    text = joined({"alg": "HS256", "kid": "one"}, {**GOOD, "exp": 10**10})
    digest = hmac.new(EC.as_pem(private=False), text.encode(), hashlib.sha256).digest()
    return f"{text}.{base64url(digest)}"


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(lambda: f"Bearer {unsigned('none')}", id="no-algorithm"),
        pytest.param(lambda: f"Bearer {unsigned('ES256')}", id="no-signature"),
        pytest.param(lambda: f"Bearer {signed_with_the_public_key()}", id="public-key-as-secret"),
        pytest.param(lambda: "Bearer a.b.c", id="no-token"),
        pytest.param(lambda: "Bearer ..", id="empty-parts"),
        pytest.param(lambda: "Bearer " + "a" * 20_000 + ".b.c", id="too-long"),
        pytest.param(lambda: "Bearer ä.ö.ü", id="not-ascii"),
        pytest.param(lambda: "Basic YTpi", id="another-scheme"),
        pytest.param(lambda: "", id="nothing"),
    ],
)
async def test_texts_that_prove_nothing(value: Any) -> None:
    """S698"""
    async with place() as p:
        publish(p, EC)
        p.source(auth=AUTH)
        assert await status(p, {"authorization": value().encode()}) == 401


async def test_no_issuer_is_asked_for_what_is_no_token() -> None:
    """S699: requests without a token cannot make the ingress call anybody."""
    async with place() as p:
        publish(p, EC)
        p.source(auth=AUTH)
        assert await status(p, {}) == 401
        assert await status(p, {"authorization": "Bearer a.b.c"}) == 401
        assert p.outside.read == []


async def test_keys_are_read_once_an_hour() -> None:
    """S699"""
    async with place() as p:
        publish(p, EC)
        p.source(auth=AUTH)
        for _ in range(3):
            assert await status(p, token(p)) == 202 or p.events()
        assert len(p.outside.read) == 2
        p.clock.advance(3601)
        assert await status(p, token(p)) == 200, "known: the same body"
        assert len(p.outside.read) == 4


async def test_a_new_key_is_found_and_a_flood_of_unknown_ones_costs_a_read_a_minute() -> None:
    """S699"""
    async with place() as p:
        publish(p, EC)
        p.source(auth=AUTH)
        assert await status(p, token(p)) == 202
        publish(p, EC, OTHER)
        assert await status(p, token(p, OTHER)) == 401, "not within a minute of the last read"
        p.clock.advance(61)
        assert await status(p, token(p, OTHER)) == 200
        for _ in range(20):
            assert await status(p, token(p, EC, header={"kid": "nobody"})) == 401
        assert len(p.outside.read) == 4


@pytest.mark.parametrize(
    "documents",
    [
        pytest.param({}, id="not-there"),
        pytest.param({DISCOVERY: b"<html>"}, id="no-json"),
        pytest.param({DISCOVERY: b"[]"}, id="no-object"),
        pytest.param({DISCOVERY: b'{"issuer": "https://evil.example"}'}, id="another-issuer"),
        pytest.param({DISCOVERY: json.dumps({"issuer": ISSUER}).encode()}, id="no-keys"),
    ],
)
async def test_an_issuer_that_cannot_be_read(
    documents: dict[str, bytes], caplog: pytest.LogCaptureFixture
) -> None:
    """S699: the sender is asked to try again, and the log says why."""
    async with place() as p:
        p.outside.documents = documents
        p.source(auth=AUTH)
        answer = await p.post(headers=token(p))
        assert answer.status_code == 503
        assert answer.headers["retry-after"] == "60"
        assert f"the keys of issuer {ISSUER} cannot be read" in caplog.text
        read = len(p.outside.read)
        assert await status(p, token(p)) == 503
        assert len(p.outside.read) == read, "it is left alone for a minute"
        publish(p, EC)
        p.clock.advance(61)
        assert await status(p, token(p)) == 202


async def test_an_issuer_that_fails_later_keeps_its_keys() -> None:
    """S699"""
    async with place() as p:
        publish(p, EC)
        p.source(auth=AUTH)
        assert await status(p, token(p)) == 202
        p.outside.documents = {}
        p.clock.advance(3601)
        assert await status(p, token(p)) == 200


SHORT: Final = {"kty": "RSA", "n": base64.urlsafe_b64encode(b"\xff" * 128).decode(), "e": "AQAB"}


@pytest.mark.parametrize(
    "document",
    [
        pytest.param(None, id="nothing"),
        pytest.param({"keys": "all"}, id="no-list"),
        pytest.param({"keys": ["x", None, {}]}, id="no-keys"),
        pytest.param({"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}, id="a-shared-secret"),
        pytest.param({"keys": [{"kty": "EC", "crv": "P-256", "x": "!", "y": ""}]}, id="broken"),
        pytest.param({"keys": [{**EC.as_dict(private=False), "use": "enc"}]}, id="other-use"),
        pytest.param({"keys": [SHORT]}, id="a-short-key"),
    ],
)
def test_keys_that_verify_nothing_are_left_out(document: Any) -> None:
    assert public_keys(document) == ()
    if isinstance(document, dict) and isinstance(document["keys"], list):
        beside = {"keys": [*document["keys"], RSA.as_dict(private=False)]}
        assert [key.kid for key in public_keys(beside)] == ["rsa"]
