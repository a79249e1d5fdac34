"""Whether a request has a token of the OpenID Connect issuer of its EventSource.

`joserfc` checks signature, issuer, audience and times (RFC 7515, 7517, 7519). Only algorithms with
public keys are accepted. No reason is given for a refusal, as in `signatures`.
"""

import json
import warnings
from collections.abc import Iterator, Sequence
from typing import Any, Final, TypeAlias

from joserfc import jws, jwt
from joserfc.errors import JoseError, SecurityWarning
from joserfc.jwk import ECKey, OKPKey, RSAKey

from waypost.api.source.model import OidcToken
from waypost.ingress.core.headers import Headers

Key: TypeAlias = RSAKey | ECKey | OKPKey

_ALGORITHMS: Final = (
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512", "EdDSA", "Ed25519"),
)
_TYPES: Final[dict[str, type[Key]]] = {"RSA": RSAKey, "EC": ECKey, "OKP": OKPKey}
_LEEWAY: Final = 60  # seconds that two clocks may differ
_LONGEST: Final = 16 * 1024  # characters of a token
_MOST_KEYS: Final = 50


class _Registry(jws.JWSRegistry):
    """Issuers add headers that have no meaning here; those in `crit` are still refused."""

    max_header_length = 4096
    max_payload_length = _LONGEST

    def __init__(self) -> None:
        super().__init__(algorithms=_ALGORITHMS, strict_check_header=False)


_REGISTRY: Final = _Registry()


def token_in(headers: Headers) -> str:
    """The token of a request; "" if it has none, or a text that cannot be one."""
    scheme, _, token = headers.only("authorization").partition(" ")
    token = token.strip()
    fits = scheme.lower() == "bearer" and len(token) <= _LONGEST and token.count(".") == 2
    return token if fits else ""


def key_name(token: str) -> str | None:
    """The `kid` of the key that a token names: "" if it names none, None if it is no token.
    Nothing is proved by it."""
    try:
        headers = jws.extract_compact(token.encode(), registry=_REGISTRY).headers()
    except (JoseError, ValueError):
        return None
    name = headers.get("kid", "")
    return name if isinstance(name, str) else None


def public_keys(document: Any) -> tuple[Key, ...]:
    """The keys of a JWK Set (RFC 7517) that can verify a signature. Others are left out."""
    listed = document.get("keys") if isinstance(document, dict) else None
    found = (_key(one) for one in (listed if isinstance(listed, list) else ())[:_MOST_KEYS])
    return tuple(key for key in found if key is not None)


def is_accepted(token: str, keys: Sequence[Key], expected: OidcToken, *, now: float) -> bool:
    """Whether a token is signed with one of the keys, valid now, and has what is expected."""
    name = key_name(token)
    if name is None:
        return False
    named = [key for key in keys if not name or key.kid == name]
    return any(_is_valid(claims, expected, now) for claims in _verified(token, named))


def _verified(token: str, keys: Sequence[Key]) -> Iterator[dict[str, Any]]:
    for key in keys:
        try:
            yield jwt.decode(token, key, registry=_REGISTRY).claims
        except (JoseError, ValueError, TypeError):
            continue


def _is_valid(claims: dict[str, Any], expected: OidcToken, now: float) -> bool:
    registry = jwt.JWTClaimsRegistry(
        now=int(now),
        leeway=_LEEWAY,
        iss={"essential": True, "value": expected.issuer},
        aud={"essential": True, "value": expected.audience},
        exp={"essential": True},
    )
    try:
        registry.validate(claims)
    except JoseError:
        return False
    return all(_has_one(claims.get(name), accepted) for name, accepted in expected.claims.items())


def _has_one(claim: Any, accepted: Sequence[str]) -> bool:
    """Whether a claim is one of the accepted values, or a list that contains one. What is no text
    is compared as JSON."""
    values = claim if isinstance(claim, list) else [] if claim is None else [claim]
    texts = (value if isinstance(value, str) else json.dumps(value) for value in values)
    return any(text in accepted for text in texts)


def _key(described: Any) -> Key | None:
    """The key of a JWK; None if it is of another use, too short, or cannot be read."""
    if not isinstance(described, dict) or described.get("use", "sig") != "sig":
        return None
    kind = _TYPES.get(str(described.get("kty")))
    if kind is None:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", SecurityWarning)  # a key that is too short
            return kind.import_key(described)
    except (JoseError, SecurityWarning, ValueError, TypeError, KeyError):
        return None
