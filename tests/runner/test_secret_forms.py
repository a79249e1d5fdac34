"""The forms in which secrets are found: as they are, in JSON, base64 and URLs, from six characters.

The runner and the model gateway have the same forms; they share no code.
"""

import base64
import json
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from waypost.model_gateway.core import leaks
from waypost_node.redaction import MARK, Redactor

SECRET = 'p/w "ü" +1'
Redact = Callable[[str], str]


def by_gateway(secret: str) -> Redact:
    """Without the words of a secret with spaces, which the gateway looks for too."""
    of_words = leaks.forms_of(secret.split() if " " in secret else [])
    forms = [form for form in leaks.forms_of([secret]) if form not in of_words]
    return lambda text: leaks.redacted(text, forms)


BOTH = pytest.mark.parametrize(
    "redactor", [lambda secret: Redactor([secret]), by_gateway], ids=["runner", "gateway"]
)
FORMS = {
    "exact": SECRET,
    "json": json.dumps(SECRET)[1:-1],
    "base64": base64.b64encode(SECRET.encode()).decode(),
    "url": quote(SECRET, safe=""),
    "form": quote_plus(SECRET),
}


@BOTH
@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_each_form_is_found(redactor: Callable[[str], Redact], form: str) -> None:
    assert redactor(SECRET)(f"before {form} after") == f"before {MARK} after"


@BOTH
@pytest.mark.parametrize(
    ("secret", "found"), [("abcde", False), ("abcdef", True)], ids=["five", "six-characters"]
)
def test_short_secrets_are_not_looked_for(
    redactor: Callable[[str], Redact], secret: str, found: bool
) -> None:
    assert (redactor(secret)(f"x {secret} y") == f"x {MARK} y") is found


@BOTH
@pytest.mark.parametrize(
    "form",
    [SECRET.encode().hex(), SECRET[::-1], SECRET[:-1], SECRET.upper()],
    ids=["hexadecimal", "reversed", "a-part", "upper-case"],
)
def test_no_other_form_is_promised(redactor: Callable[[str], Redact], form: str) -> None:
    assert redactor(SECRET)(f"x {form} y") == f"x {form} y"


def test_both_have_the_same_forms() -> None:
    assert set(Redactor(["abcdef/+"])._forms) == set(leaks.forms_of(["abcdef/+"]))
