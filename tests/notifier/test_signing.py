"""Signatures that the ingress accepts, and the published example."""

import base64

import pytest
from waypost.ingress.core.headers import Headers
from waypost.ingress.core.signatures import is_signed
from waypost.notifier.core.signing import BadKey, signed_headers, signing_keys

KEY = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER = "whsec_" + base64.b64encode(b"another key of the receiver").decode()
BODY = b'{"test": 2432232314}'


def accepts(
    sent: dict[str, str], *secrets: str, body: bytes = BODY, now: float = 1614265330
) -> bool:
    """Whether the ingress takes a request."""
    return is_signed("StandardWebhooks", secrets, Headers(sent.items()), body, now=now)


def test_the_published_example() -> None:
    """S736: the example of the specification and its libraries."""
    found = signed_headers("p5jXN8AQM9LWM0D4loKWxJek", 1614265330.9, BODY, signing_keys(KEY))
    assert found == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_the_ingress_accepts_what_is_signed() -> None:
    """S736"""
    sent = signed_headers("1f2d", 1614265330, BODY, signing_keys(KEY))
    assert accepts(sent, KEY)
    assert not accepts(sent, OTHER)
    assert not accepts(sent, KEY, body=BODY + b" ")
    assert not accepts({**sent, "webhook-id": "msg_1f2e"}, KEY)
    assert not accepts(sent, KEY, now=1614265330 + 301)


def test_a_receiver_can_change_its_key() -> None:
    """S736: during a change both are accepted."""
    sent = signed_headers("1f2d", 1614265330, BODY, signing_keys(f"{KEY}  {OTHER}\n"))
    assert accepts(sent, KEY)
    assert accepts(sent, OTHER)


def test_without_a_key_there_is_no_signature() -> None:
    """S736"""
    assert set(signed_headers("1f2d", 0, BODY, ())) == {"webhook-id", "webhook-timestamp"}


@pytest.mark.parametrize("text", ["", " \n", "whsec_", "whsec_!", "not base64!", f"{KEY} whsec_"])
def test_what_is_no_key(text: str) -> None:
    """S736"""
    with pytest.raises(BadKey, match="the signing key"):
        signing_keys(text)
