"""The client credentials grant of OAuth 2: what is asked, and what an answer means. Pure."""

import base64
import json
from typing import Any, Final, NamedTuple
from urllib.parse import quote, urlencode

EARLY: Final = 10.0  # seconds before its end at which a token is not used any more
_USUAL_LIFE: Final = 300.0  # seconds of a token whose server names no time
_LONGEST_LIFE: Final = 1e9


class Question(NamedTuple):
    """A request to the token endpoint. `basic` is the encoded pair in its header, "" if the secret
    is in the body."""

    headers: dict[str, str]
    body: bytes
    basic: str


def question(client_id: str, secret: str, *, scope: str, in_body: bool) -> Question:
    """What to send. `in_body`: some servers take the secret in the body only."""
    form = {"grant_type": "client_credentials"} | ({"scope": scope} if scope else {})
    headers = {
        "User-Agent": "waypost",
        "Accept": "application/json",
        "Content-Type": "application/x-www-form-urlencoded",
    }
    if in_body:
        form |= {"client_id": client_id, "client_secret": secret}
        return Question(headers, urlencode(form).encode(), "")
    pair = f"{quote(client_id, safe='')}:{quote(secret, safe='')}"
    basic = base64.b64encode(pair.encode()).decode()
    return Question(headers | {"Authorization": f"Basic {basic}"}, urlencode(form).encode(), basic)


def document_of(body: bytes) -> dict[str, Any]:
    """The object in an answer; an empty one if there is none."""
    try:
        document: Any = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def token_in(document: dict[str, Any]) -> str:
    """The token that an answer gives; "" if it has none that a header can hold."""
    token = document.get("access_token")
    usable = isinstance(token, str) and token.isascii() and token.isprintable()
    return str(token) if usable else ""


def life_of(document: dict[str, Any]) -> float:
    """The seconds in `expires_in`, which some servers send as text."""
    value = document.get("expires_in")
    if isinstance(value, str) and value.strip().isascii() and value.strip().isdecimal():
        value = int(value[:12])
    if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
        return _USUAL_LIFE
    return float(min(value, _LONGEST_LIFE))


def error_in(document: dict[str, Any]) -> str:
    """The OAuth error code of an answer that is an error; "" where it has none."""
    error = document.get("error")
    return error if isinstance(error, str) else ""
