"""Which hosts a Secret may be sent to."""

from collections.abc import Iterable
from typing import Final
from urllib.parse import urlsplit

from waypost.api.provider import PUBLIC_URLS, ProviderType

HOSTS_ANNOTATION: Final = "waypost.dev/hosts"


def hosts_of_secret(annotation: str, type_: ProviderType) -> frozenset[str]:
    """The hosts to which the keys of a Secret may be sent: those of its annotation, else the
    public one of the type. A host with a port other than that of https has it."""
    listed = frozenset(part.strip().lower() for part in annotation.split(",") if part.strip())
    return listed or frozenset({urlsplit(PUBLIC_URLS[type_]).netloc})


def host_problem(host: str, allowed: Iterable[str], *, secret: str) -> str:
    """Why a Secret may not be sent to a host; "" if it may."""
    if host in allowed:
        return ""
    found = ", ".join(sorted(allowed))
    return (
        f"Secret {secret} may be sent to {found} only, and the ModelProvider names {host}; list "
        f"{host} in the annotation {HOSTS_ANNOTATION} of the Secret"
    )
