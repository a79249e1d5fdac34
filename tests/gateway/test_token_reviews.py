"""Which tokens cost a review by the API server: junk costs none, the rest has a limit."""

import base64
import json
from typing import Any

import pytest
from waypost.gateway.token_reviews import REVIEWS_PER_SECOND
from waypost.ports.cluster import Kind

from tests.gateway.place import IN_2100, Place, place, reviewed, token_of

HEAD, SIGN = "eyJhbGciOiJSUzI1NiJ9", "c2lnbg"


def raw(text: str) -> str:
    """A token whose claims are this text."""
    return f"{HEAD}.{base64.urlsafe_b64encode(text.encode()).decode().rstrip('=')}.{SIGN}"


CLAIMS = {"aud": ["waypost-gateway"], "exp": IN_2100}
JUNK: dict[str, str] = {
    "a-word": "junk",
    "two-parts": f"{HEAD}.{SIGN}",
    "four-parts": f"{token_of('x')}.{SIGN}",
    "no-base64": f"{HEAD}.a.{SIGN}",
    "no-json": raw("{"),
    "nested": raw("[" * 5000),
    "a-list": raw("[]"),
    "no-audience": raw(json.dumps({"exp": IN_2100})),
    "other-audience": token_of("x", audience=["https://kubernetes.default.svc"]),
    "audience-is-a-number": token_of("x", audience=7),
    "no-expiry": raw(json.dumps({"aud": CLAIMS["aud"]})),
    "expiry-is-text": token_of("x", expires="2100"),
    "expired": token_of("x", expires=1_000_000_000),
}


async def refused(p: Place, token: str) -> tuple[int, Any]:
    answer = await p.put(b"1", token=token)
    return answer.status_code, answer.json()["reason"]


@pytest.mark.parametrize("token", JUNK.values(), ids=JUNK)
async def test_s376_junk_is_refused_without_a_review(token: str) -> None:
    async with place() as p:
        assert await refused(p, token) == (401, "TokenRefused")
        assert p.cluster.reviews == 0


async def test_s376_an_audience_may_be_a_text() -> None:
    async with place() as p:
        token = token_of("x", audience="waypost-gateway")
        p.cluster.tokens[token] = p.cluster.tokens[token_of("draft")]
        assert (await p.put(b"1", token=token)).status_code == 201


async def test_s376_clocks_may_differ_by_a_minute() -> None:
    async with place() as p:
        token = token_of("x", expires=p.clock.now().timestamp() - 59)
        p.cluster.tokens[token] = p.cluster.tokens[token_of("draft")]
        assert (await p.put(b"1", token=token)).status_code == 201


async def test_s376_a_refusal_is_kept_for_five_seconds() -> None:
    async with place() as p:
        token = token_of("forged")
        for _ in range(5):
            assert await refused(p, token) == (401, "TokenRefused")
        assert p.cluster.reviews == 1
        p.clock.advance(5.1)
        pod = p.cluster.inner.server.get(Kind.POD, namespace="default", name="brief-draft-2-x")
        p.cluster.tokens[token] = reviewed(pod)
        assert (await p.put(b"1", token=token)).status_code == 201
        assert p.cluster.reviews == 2


async def test_s376_a_flood_of_forged_tokens_is_cut() -> None:
    async with place() as p:
        answers = [await refused(p, token_of(f"forged-{at}")) for at in range(100)]
        assert p.cluster.reviews == REVIEWS_PER_SECOND
        assert answers[-1] == (503, "Busy")
        p.clock.advance(0.5)
        for at in range(100):
            await refused(p, token_of(f"later-{at}"))
        assert p.cluster.reviews == REVIEWS_PER_SECOND * 1.5


async def test_s376_a_known_token_needs_no_review_in_a_flood() -> None:
    async with place() as p:
        assert (await p.put(b"1")).status_code == 201
        for at in range(100):
            await refused(p, token_of(f"forged-{at}"))
        assert (await p.put(b"1")).status_code == 200
