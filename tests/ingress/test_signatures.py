"""Signatures: the examples that senders publish, and what their specifications say."""

import base64
import hashlib
import hmac
import importlib

import pytest
from waypost.api.source.model import Preset
from waypost.ingress.core.headers import Headers
from waypost.ingress.core.signatures import has_token, is_signed

NOW = 1_700_000_000
BODY = b'{"id":"evt_1","amount":7}'
SECRET = "s3cr3t-of-the-sender"
RAW = b"24 bytes of a secret key"
STANDARD = "whsec_" + base64.b64encode(RAW).decode()


def digest(key: bytes, content: bytes) -> bytes:
    return hmac.new(key, content, hashlib.sha256).digest()


def stripe(at: int = NOW, *, secret: str = SECRET, body: bytes = BODY) -> dict[str, str]:
    signature = digest(secret.encode(), f"{at}.".encode() + body).hex()
    return {"stripe-signature": f"t={at},v1={signature},v0=00"}


def slack(at: int = NOW, *, secret: str = SECRET, body: bytes = BODY) -> dict[str, str]:
    signature = digest(secret.encode(), f"v0:{at}:".encode() + body).hex()
    return {"x-slack-request-timestamp": str(at), "x-slack-signature": f"v0={signature}"}


def standard(at: int = NOW, *, key: bytes = RAW, body: bytes = BODY) -> dict[str, str]:
    signed = digest(key, f"msg_1.{at}.".encode() + body)
    signature = base64.b64encode(signed).decode()
    return {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(at),
        "webhook-signature": f"v1a,c2k= v1,{signature}",
    }


def accepts(
    preset: Preset, headers: dict[str, str], *secrets: str, body: bytes = BODY, now: float = NOW
) -> bool:
    given = secrets or (STANDARD if preset == "StandardWebhooks" else SECRET,)
    return is_signed(preset, given, Headers(headers.items()), body, now=now)


def test_github_s_published_example() -> None:
    """S671: docs.github.com, "Validating webhook deliveries"."""
    signature = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    headers = {"X-Hub-Signature-256": f"sha256={signature}"}
    secret = "It's a Secret to Everybody"
    assert accepts("GitHub", headers, secret, body=b"Hello, World!")
    assert not accepts("GitHub", headers, secret, body=b"Hello, World?")


@pytest.mark.parametrize("changed", ["nothing", "body", "time", "secret"])
def test_s671_stripe_s_library_and_we_accept_the_same(changed: str) -> None:
    """Stripe publishes no example with its secret, so its own library is asked."""
    stripes = importlib.import_module("stripe")  # large: only when this test runs
    header = stripe(NOW + 1 if changed == "time" else NOW)["stripe-signature"]
    header = header.replace(str(NOW + 1), str(NOW))
    body = BODY + b" " if changed == "body" else BODY
    secret = "another" if changed == "secret" else SECRET
    given = {"stripe-signature": header}
    try:
        stripes.WebhookSignature.verify_header(body.decode(), header, secret)
        theirs = True
    except stripes.SignatureVerificationError:
        theirs = False
    assert accepts("Stripe", given, secret, body=body) is theirs is (changed == "nothing")


def test_slack_s_published_example() -> None:
    """S671: docs.slack.dev, "Verifying requests from Slack"."""
    body = (
        b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow"
        b"&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner"
        b"&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands"
        b"%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN"
        b"&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
    )
    signature = "a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"
    headers = {"X-Slack-Request-Timestamp": "1531420618", "X-Slack-Signature": f"v0={signature}"}
    secret = "8f742231b10e8888abcd99yyyzzz85a5"
    assert accepts("Slack", headers, secret, body=body, now=1531420620)


def test_standard_webhooks_published_example() -> None:
    """S671: the example of the specification and its libraries."""
    headers = {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    body = b'{"test": 2432232314}'
    assert accepts("StandardWebhooks", headers, secret, body=body, now=1614265330)
    assert not accepts("StandardWebhooks", headers, secret, body=body + b" ", now=1614265330)


SIGNERS = [
    pytest.param("Stripe", stripe, id="stripe"),
    pytest.param("Slack", slack, id="slack"),
    pytest.param("StandardWebhooks", standard, id="standard-webhooks"),
]


@pytest.mark.parametrize(("preset", "sign"), SIGNERS)
def test_an_old_request_is_refused(preset: Preset, sign: object) -> None:
    """S672: five minutes, in both directions."""
    assert callable(sign)
    for at, accepted in ((NOW, True), (NOW - 300, True), (NOW + 300, True)):
        assert accepts(preset, sign(at)) is accepted
    for at in (NOW - 301, NOW + 301, 0):
        assert not accepts(preset, sign(at)), at


@pytest.mark.parametrize(("preset", "sign"), SIGNERS)
def test_a_time_that_is_not_signed_is_refused(preset: Preset, sign: object) -> None:
    """S672: an old request does not become new by another time in its headers."""
    assert callable(sign)
    old, new = sign(NOW - 900), sign(NOW)
    times = {"x-slack-request-timestamp", "webhook-timestamp"}
    mixed = {name: new[name] if name in times else value for name, value in old.items()}
    if preset == "Stripe":
        mixed = {"stripe-signature": old["stripe-signature"].replace(str(NOW - 900), str(NOW))}
    assert not accepts(preset, mixed)


@pytest.mark.parametrize(("preset", "sign"), SIGNERS)
def test_two_secrets_while_one_is_replaced(preset: Preset, sign: object) -> None:
    """S671"""
    assert callable(sign)
    right = STANDARD if preset == "StandardWebhooks" else SECRET
    assert accepts(preset, sign(), "b3RoZXI=", right)
    assert accepts(preset, sign(), right, "b3RoZXI=")
    assert not accepts(preset, sign(), "b3RoZXI=")
    assert not accepts(preset, sign(), "not base64!")
    assert not is_signed(preset, [], Headers(sign().items()), BODY, now=NOW)


WRONG = [
    pytest.param("GitHub", {}, id="github-none"),
    pytest.param("GitHub", {"x-hub-signature-256": "sha256="}, id="github-empty"),
    pytest.param("GitHub", {"x-hub-signature-256": "sha1=" + "0" * 40}, id="github-sha1"),
    pytest.param("GitHub", {"x-hub-signature-256": "sha256=é"}, id="github-odd"),
    pytest.param("Stripe", {"stripe-signature": f"t={NOW}"}, id="stripe-no-signature"),
    pytest.param("Stripe", {"stripe-signature": "t=x,v1=00"}, id="stripe-no-time"),
    pytest.param("Stripe", {"stripe-signature": f"t={NOW},t={NOW},v1=00"}, id="stripe-two-times"),
    pytest.param("Slack", {"x-slack-signature": "v0=00"}, id="slack-no-time"),
    pytest.param(
        "StandardWebhooks",
        {"webhook-timestamp": str(NOW), "webhook-signature": "v1,AA=="},
        id="standard-no-id",
    ),
    pytest.param(
        "StandardWebhooks",
        {"webhook-id": "a", "webhook-timestamp": "-1", "webhook-signature": "v1,AA=="},
        id="standard-negative-time",
    ),
]


@pytest.mark.parametrize(("preset", "headers"), WRONG)
def test_what_is_no_signature_is_refused(preset: Preset, headers: dict[str, str]) -> None:
    """S671"""
    assert not accepts(preset, headers)


def test_an_empty_secret_signs_nothing() -> None:
    """S671: a Secret that lost its text must not open the source to everybody."""
    headers = {"x-hub-signature-256": "sha256=" + digest(b"", BODY).hex()}
    assert not accepts("GitHub", headers, "")


def test_a_signature_that_was_sent_twice_counts_as_none() -> None:
    """S671"""
    right = "sha256=" + digest(SECRET.encode(), BODY).hex()
    once = Headers([("X-Hub-Signature-256", right)])
    twice = Headers([("X-Hub-Signature-256", right), ("x-hub-signature-256", right)])
    assert is_signed("GitHub", [SECRET], once, BODY, now=NOW)
    assert not is_signed("GitHub", [SECRET], twice, BODY, now=NOW)


@pytest.mark.parametrize(
    ("sent", "accepted"),
    [
        ("Bearer right", True),
        ("bearer  right", True),
        ("Bearer wrong", False),
        ("Basic right", False),
        ("right", False),
        ("", False),
    ],
)
def test_bearer_tokens(sent: str, accepted: bool) -> None:
    """S671"""
    headers = Headers([("authorization", sent)])
    assert has_token(["old", "right"], headers) is accepted
    assert not has_token([], headers)
