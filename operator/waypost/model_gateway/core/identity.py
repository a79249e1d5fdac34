"""Headers that say for whom a call is made, for gateways that count and limit by them."""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

from waypost.kube.objects import section, text
from waypost.kube.payloads import AttemptRef

PREFIX: Final = "x-waypost-"
_KEPT: Final = ":@/.,_+-"  # beside letters and digits


def identity_headers(ref: AttemptRef, run: Mapping[str, Any]) -> dict[str, str]:
    """The headers of a call.

    Args:
        ref: The attempt that calls.
        run: The run, as the API server has it.
    """
    spec = section(run, "spec")
    user = text(spec, "requestedBy") or text(section(spec, "origin"), "requestedBy")
    values = {
        "namespace": text(section(run, "metadata"), "namespace"),
        "run": ref.run,
        "node": ref.path,
        "attempt": str(ref.attempt),
        "user": user,
    }
    return {PREFIX + name: quote(value, safe=_KEPT) for name, value in values.items() if value}
