"""What a caller may read: the API server answers, for the token that the caller sends.

The archive has no right to ask about others. It sends a SelfSubjectAccessReview with the token of
the caller, so a token that the API server does not accept is refused by the same request.
"""

import re
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Final

from waypost.archive.refusals import Refused
from waypost.kube.objects import section
from waypost.ports.cluster import Cluster, ClusterError, Kind, Obj

# Opens a connection to the API server with a token.
Connect = Callable[[str], AbstractAsyncContextManager[Cluster]]

_BEARER: Final = re.compile(r"[Bb]earer +([A-Za-z0-9._~+/=-]{1,16384})")


async def may(
    connect: Connect, authorization: str, verb: str, kinds: tuple[Kind, ...], *, namespace: str
) -> dict[Kind, bool]:
    """Whether the caller has a right on each of these kinds in a namespace.

    Args:
        connect: How the API server is reached.
        authorization: The header Authorization of the request.
        verb: The verb, as in a Role.
        kinds: The kinds.
        namespace: The namespace; "" for all.

    Raises:
        Refused: There is no token, the API server does not accept it, or it cannot be asked.
    """
    found = _BEARER.fullmatch(authorization)
    if found is None:
        raise Refused(401, "expected the header Authorization: Bearer TOKEN of Kubernetes")
    try:
        async with connect(found[1]) as cluster:
            return {kind: await _allowed(cluster, verb, kind, namespace) for kind in kinds}
    except ClusterError as error:
        if error.code == 401:
            raise Refused(401, "the API server does not accept the token; log in again") from error
        if error.code == 403:  # for anonymous requests, which may not ask
            raise Refused(403, "the API server takes no questions about this token") from error
        raise Refused(503, "the API server cannot be asked now; try again") from error


async def _allowed(cluster: Cluster, verb: str, kind: Kind, namespace: str) -> bool:
    group = kind.api_version.rpartition("/")[0]
    asked = {"verb": verb, "group": group, "resource": kind.plural, "namespace": namespace}
    review: Obj = {
        "apiVersion": Kind.SELF_SUBJECT_ACCESS_REVIEW.api_version,
        "kind": Kind.SELF_SUBJECT_ACCESS_REVIEW.kind,
        "spec": {"resourceAttributes": asked},
    }
    answer = await cluster.create(Kind.SELF_SUBJECT_ACCESS_REVIEW, namespace="", body=review)
    return section(answer, "status").get("allowed") is True
