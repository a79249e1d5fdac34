"""Rules for `volumeClaims`: each is mounted by a node, and each volume names one that exists."""

import re
from collections.abc import Iterator
from typing import Final

from waypost.api.isolation.quantity import number_of
from waypost.api.kinds.table import kind_of
from waypost.api.workflow import AgentWorkflowSpec
from waypost.compiler.node_settings import isolation_of
from waypost.compiler.problems import Problem

_CLASS: Final = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")


def volume_claim_problems(spec: AgentWorkflowSpec) -> Iterator[Problem]:
    """Report claims that nothing mounts, volumes whose claim is not declared, and values that the
    API server would refuse (S708)."""
    claims = spec.volume_claims or []
    names = [claim.name for claim in claims]
    mounted: set[str] = set()
    for node in spec.all_nodes:
        if not kind_of(node).has_pod:
            continue
        for volume in isolation_of(spec, node).volumes or ():
            name = volume.volume_claim
            if name is not None and name not in names:
                known = f"declared: {', '.join(names)}" if names else "the run declares none"
                text = f"volume {volume.name} names {name!r}, which is not in volumeClaims; {known}"
                yield Problem(f"{node.place}.isolation.volumes", text)
            mounted.add(name or "")
    for at, claim in enumerate(claims):
        place = f"volumeClaims[{at}]"
        if claim.name in names[:at]:
            yield Problem(f"{place}.name", f"{claim.name} is declared twice")
        elif claim.name not in mounted:
            text = "no node mounts it; name it in isolation.volumes[].volumeClaim, or remove it"
            yield Problem(place, text)
        size = number_of(claim.storage)
        if size is None or size <= 0:
            text = f"expected a size greater than 0, such as 10Gi; found {claim.storage!r}"
            yield Problem(f"{place}.storage", text)
        if claim.storage_class_name and not _CLASS.fullmatch(claim.storage_class_name):
            text = "expected the name of an object: lower case letters, digits, - and ."
            yield Problem(f"{place}.storageClassName", text)
