"""Who the user is, as the API server knows them."""

from waypost.cli.connection.cluster import Session
from waypost.kube.objects import section, text
from waypost.ports.cluster import ClusterError, Kind


async def user_name(session: Session) -> str:
    """The user's name as `kubectl auth whoami` prints it; "" if the API server does not say it."""
    body = {"apiVersion": Kind.SELF_SUBJECT_REVIEW.api_version, "kind": "SelfSubjectReview"}
    try:
        found = await session.cluster.create(Kind.SELF_SUBJECT_REVIEW, namespace="", body=body)
    except ClusterError:
        return ""
    return text(section(found, "status", "userInfo"), "username")


async def may(session: Session, verb: str, resource: str, *, group: str = "waypost.dev") -> bool:
    """Whether the user may do this in the namespace of the session. Raises ClusterError."""
    resource, _, subresource = resource.partition("/")
    attributes = {
        "namespace": session.namespace,
        "verb": verb,
        "group": group,
        "resource": resource,
        "subresource": subresource,
    }
    body = {
        "apiVersion": Kind.SELF_SUBJECT_ACCESS_REVIEW.api_version,
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": attributes},
    }
    kind = Kind.SELF_SUBJECT_ACCESS_REVIEW
    found = await session.cluster.create(kind, namespace="", body=body)
    return section(found, "status").get("allowed") is True
