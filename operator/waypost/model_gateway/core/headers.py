"""Which headers go to the provider, and which come back."""

from collections.abc import Iterable, Mapping
from typing import Final

from waypost.api.provider import ProviderType

KEY_HEADERS: Final[Mapping[ProviderType, str]] = {
    "OpenAI": "authorization",
    "Anthropic": "x-api-key",
    "Google": "x-goog-api-key",
}
# A list of what passes: hop-by-hop headers, Host, cookies and identities are not among them.
_FROM_POD: Final = frozenset(
    {"accept", "anthropic-beta", "anthropic-version", "content-type", "user-agent"}
)
_TO_POD: Final = frozenset(
    {"content-type", "retry-after", "retry-after-ms", "request-id", "x-request-id"}
)
_LONGEST: Final = 1024
WAITED: Final = "waypost-waited"  # seconds that a call waited in the gateway


def to_provider(
    given: Iterable[tuple[str, str]],
    *,
    type_: ProviderType,
    key: str | None,
    own: Mapping[str, str],
) -> dict[str, str]:
    """The headers of the call to the provider.

    Args:
        given: The headers of the pod.
        type_: The type of the provider: it says which header has the key.
        key: The key; None if the provider has none.
        own: The headers of the ModelProvider, which come before all others.
    """
    sent = {name: value for name, value in _lower(given) if name in _FROM_POD}
    sent = {name: value for name, value in sent.items() if len(value) <= _LONGEST}
    sent["accept-encoding"] = "identity"  # what is counted is what is sent on
    if key is not None:
        sent[KEY_HEADERS[type_]] = f"Bearer {key}" if type_ == "OpenAI" else key
    return sent | dict(_lower(own.items()))


def to_pod(given: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The headers of the answer for the pod."""
    return {name: value for name, value in _lower(given) if name in _TO_POD}


def _lower(given: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(name.lower(), value) for name, value in given]
