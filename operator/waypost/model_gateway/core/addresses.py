"""Which hosts a Secret may be sent to."""

from collections.abc import Iterable
from typing import Final
from urllib.parse import urlsplit

from waypost.api.provider import PUBLIC_URLS, ProviderType

HOSTS_ANNOTATION: Final = "waypost.dev/hosts"


def hosts_of_secret(annotation: str, type_: ProviderType | None) -> frozenset[str]:
    """The hosts to which the keys of a Secret may be sent: those of its annotation, else the
    public one of the type; none for None, an http node. A host with a port other than that of
    https has it."""
    listed = frozenset(part.strip().lower() for part in annotation.split(",") if part.strip())
    if listed or type_ is None:
        return listed
    return frozenset({urlsplit(PUBLIC_URLS[type_]).netloc})


def host_problem(
    host: str, allowed: Iterable[str], *, secret: str, named_by: str = "ModelProvider"
) -> str:
    """Why a Secret may not be sent to a host, which `named_by` names; "" if it may."""
    if host in allowed:
        return ""
    found = ", ".join(sorted(allowed))
    only = f"may be sent to {found} only" if found else "does not say where it may be sent to"
    return (
        f"Secret {secret} {only}, and the {named_by} names {host}; list "
        f"{host} in the annotation {HOSTS_ANNOTATION} of the Secret"
    )
