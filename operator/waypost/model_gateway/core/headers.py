"""Which headers go to the provider, and which come back."""

from collections.abc import Iterable, Mapping
from typing import Final

from waypost.api.provider import ProviderType
from waypost.kube.egress.forwarded import may_be_sent

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
_OF_BODY: Final = frozenset({"content-type", "idempotency-key", "user-agent"})
_LEFT_OUT: Final = frozenset({"date", "set-cookie"})  # ours; the key of a session
LENGTH: Final = "waypost-length"  # the Content-Length of the answer to an http node
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


def of_request(
    given: Iterable[tuple[str, str]],
    *,
    own: Iterable[tuple[str, str]],
    added: Mapping[str, str],
    identity: Mapping[str, str],
) -> list[tuple[str, str]]:
    """The headers of the request of an http node.

    Args:
        given: The headers of the pod.
        own: Those that the node has as text, as the operator rendered them.
        added: Those from Secrets.
        identity: Those that say who calls, which replace others of these names.
    """
    sent = [(name, value) for name, value in _lower(own) if may_be_sent(name)]
    sent += [(name, value) for name, value in _lower(added.items()) if may_be_sent(name)]
    sent = [(name, value) for name, value in sent if name not in identity] + [*identity.items()]
    known = {name for name, _ in sent}
    sent += [
        (name, value)
        for name, value in _lower(given)
        if name in _OF_BODY and name not in known and len(value) <= _LONGEST
    ]
    return [*sent, ("accept-encoding", "identity")]  # what is searched is what is sent on


def to_http_node(given: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """The headers of the answer for the pod of an http node. Its length has another name: the
    gateway sends pieces."""
    listed = _lower(given)
    own = {
        part.strip().lower()
        for name, value in listed
        if name == "connection"
        for part in value.split(",")
    }
    kept = [(name, value) for name, value in listed if may_be_sent(name) and name not in own]
    kept = [(name, value) for name, value in kept if name not in _LEFT_OUT]
    return kept + [(LENGTH, value) for name, value in listed if name == "content-length"]


def _lower(given: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(name.lower(), value) for name, value in given]
