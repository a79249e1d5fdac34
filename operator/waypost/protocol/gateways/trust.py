"""Whom a pod trusts when it calls a gateway over TLS: the CAs, and the name of each gateway.

Pods without DNS call addresses, so the name is not that of the URL (S778).
"""

import json
from typing import NamedTuple

FILE = "trust.json"  # beside the tokens of the pod


class Trust(NamedTuple):
    """The document that the operator gives to pods.

    Attributes:
        ca: Certificates (PEM), one after another.
        gateway: The name in the certificate of the gateway.
        models: The name in the certificate of the model gateway.
    """

    ca: str
    gateway: str
    models: str

    def to_text(self) -> str:
        """The document as JSON."""
        return json.dumps(self._asdict(), separators=(",", ":"), sort_keys=True)


def trust_from_text(text: str) -> Trust:
    """Read a document.

    Raises:
        ValueError: It is not one.
    """
    document = json.loads(text)
    try:
        fields = {name: document[name] for name in Trust._fields}
    except (TypeError, LookupError):
        raise ValueError("the trust of this pod is not complete") from None
    if not all(isinstance(value, str) for value in fields.values()):
        raise ValueError("the trust of this pod has a value that is not text")
    return Trust(**fields)
