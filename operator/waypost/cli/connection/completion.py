"""Names of objects for the completion of a shell: quick, and silent without a cluster."""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

import typer

from waypost.cli.connection.cluster import Session, Target, with_cluster
from waypost.cli.errors import CommandError
from waypost.kube.objects import section, text
from waypost.ports.cluster import Kind

_SECONDS: Final = 3.0
_NAMES: Final = 500
_KINDS: Final = {"run": Kind.AGENT_WORKFLOW, "approval": Kind.APPROVAL, "memory": Kind.MEMORY_ENTRY}


def names(kind: str, incomplete: str, given: Mapping[str, Any]) -> list[str]:
    """Names of objects that begin with `incomplete`; empty after any error.

    Args:
        kind: run, approval or memory.
        incomplete: What was typed.
        given: The options that were typed before.
    """

    async def work(session: Session) -> list[str]:
        async with asyncio.timeout(_SECONDS):
            page = await session.cluster.page(
                _KINDS[kind], namespace=session.namespace, limit=_NAMES
            )
        found = (text(section(item, "metadata"), "name") for item in page.items)
        return [name for name in found if name.startswith(incomplete)]

    target = Target(given.get("kubeconfig"), given.get("context"), given.get("namespace"))
    try:
        return with_cluster(target, work)
    except (CommandError, TimeoutError, typer.Exit):
        return []
