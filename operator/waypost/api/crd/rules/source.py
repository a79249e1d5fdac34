"""Validation rules for an EventSource."""

from typing import Final

from waypost.api.crd.cel_rule import REQUIRED, Rule, any_of, at_most_one_of, names_of
from waypost.api.crd.rules.endpoints import exactly_one

_WAYS: Final = ("hmac", "bearer", "oidc")
AUTH: Final = (
    Rule(any_of(_WAYS), ["none of hmac, bearer and oidc is set; set one"], reason=REQUIRED),
    Rule(at_most_one_of(_WAYS), [names_of(_WAYS), " are set; keep one of them"]),
)
RULE: Final = exactly_one("event", "start", both="keep one of them, and make two rules")
