"""Validation rules for an EventSource."""

from typing import Final

from waypost.api.crd.rules.endpoints import exactly_one

AUTH: Final = exactly_one("hmac", "bearer")
RULE: Final = exactly_one("event", "start", both="keep one of them, and make two rules")
