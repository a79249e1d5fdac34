"""Keeping secrets out of what people and machines get to read."""

import base64
import json
from collections.abc import Iterable
from typing import Final
from urllib.parse import quote, quote_plus

MARK: Final = "[redacted]"
SHORTEST: Final = 6  # characters; anything shorter would strike out innocent text


class Redactor:
    """Knows the secrets of a node, in the forms in which a server may echo them."""

    def __init__(self, secrets: Iterable[str]) -> None:
        forms = {form for secret in secrets for form in _forms(secret)}
        # Longest first: one secret may be part of another's form.
        self._forms = sorted((f for f in forms if len(f) >= SHORTEST), key=len, reverse=True)

    def __call__(self, text: str) -> str:
        """The text with MARK in the place of every secret."""
        for form in self._forms:
            text = text.replace(form, MARK)
        return text

    def finds(self, text: str) -> bool:
        """Whether a secret stands in the text."""
        return any(form in text for form in self._forms)


def _forms(secret: str) -> set[str]:
    as_json = json.dumps(secret)[1:-1]
    as_base64 = base64.b64encode(secret.encode()).decode()
    return {secret, as_json, as_base64, quote(secret, safe=""), quote_plus(secret)}
