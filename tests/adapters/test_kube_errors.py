"""Answers of an API server and the exceptions they become."""

import json
from typing import Any

import pytest
from waypost.adapters.kube_errors import error_from
from waypost.ports.cluster import (
    AlreadyExists,
    Busy,
    ClusterError,
    Conflict,
    NotFound,
    QuotaExceeded,
    RefusedForNow,
    Rejected,
    Unavailable,
)


def status_object(code: int, reason: str, message: str, **details: Any) -> bytes:
    body = {"kind": "Status", "code": code, "reason": reason, "message": message}
    return json.dumps({**body, "details": details}).encode()


QUOTA = 'jobs.batch "x" is forbidden: exceeded quota: q, requested: count/jobs.batch=1'
OURS = (
    'noderecords.waypost.dev is forbidden: User "system:serviceaccount:w:operator" cannot create '
    'resource "noderecords" in API group "waypost.dev" in the namespace "n"'
)
TERMINATING = "unable to create new content in namespace n because it is being terminated"

TABLE = [
    pytest.param(
        404, "NotFound", 'pods "x" not found', NotFound, "NotFound", id="object-is-not-there"
    ),
    pytest.param(
        404,
        "NotFound",
        'namespaces "n" not found',
        NotFound,
        "NotFound",
        id="create-in-a-namespace-that-is-gone",
    ),
    pytest.param(
        409, "Conflict", "the object has been modified", Conflict, "Conflict", id="stale-version"
    ),
    pytest.param(
        409,
        "AlreadyExists",
        'jobs.batch "x" already exists',
        AlreadyExists,
        "AlreadyExists",
        id="name-is-taken",
    ),
    pytest.param(403, "Forbidden", QUOTA, QuotaExceeded, "Forbidden", id="quota-may-pass-later"),
    pytest.param(403, "Forbidden", "no right", Rejected, "Forbidden", id="rbac"),
    pytest.param(403, "Forbidden", OURS, RefusedForNow, "Forbidden", id="rights-of-ours"),
    pytest.param(
        403,
        "Forbidden",
        'jobs.batch "x" is forbidden: not yet ready to handle request',
        RefusedForNow,
        "Forbidden",
        id="admission-has-just-begun",
    ),
    pytest.param(
        403,
        "Forbidden",
        'pods "x" is forbidden: status unknown for quota: q, resources: pods',
        RefusedForNow,
        "Forbidden",
        id="quota-has-just-been-made",
    ),
    pytest.param(
        500,
        "InternalError",
        'failed calling webhook "w": connection refused',
        RefusedForNow,
        "InternalError",
        id="nothing-was-written",
    ),
    pytest.param(
        503,
        "ServiceUnavailable",
        'admission webhook "w" denied the request: the policy is being loaded',
        RefusedForNow,
        "ServiceUnavailable",
        id="a-webhook-that-denies-with-503",
    ),
    pytest.param(
        403,
        "Forbidden",
        'admission webhook "w" denied the request: no',
        Rejected,
        "Forbidden",
        id="policy-says-no",
    ),
    pytest.param(400, "BadRequest", "unknown field", Rejected, "BadRequest", id="strict-field"),
    pytest.param(405, "MethodNotAllowed", "no", Rejected, "MethodNotAllowed", id="method"),
    pytest.param(413, "RequestEntityTooLarge", "limit", Rejected, "RequestEntityTooLarge", id="3M"),
    pytest.param(415, "UnsupportedMediaType", "no", Rejected, "UnsupportedMediaType", id="media"),
    pytest.param(422, "Invalid", "spec.x: Invalid value", Rejected, "Invalid", id="validation"),
    pytest.param(
        500,
        "",
        "etcdserver: request is too large",
        Rejected,
        "",
        id="too-large-for-etcd-is-a-500-that-never-passes",
    ),
    pytest.param(500, "InternalError", "webhook", Unavailable, "InternalError", id="webhook-down"),
    pytest.param(503, "ServiceUnavailable", "x", Unavailable, "ServiceUnavailable", id="no-server"),
    pytest.param(504, "Timeout", "x", Unavailable, "Timeout", id="server-side-timeout"),
    pytest.param(
        401,
        "Unauthorized",
        "Unauthorized",
        Unavailable,
        "Unauthorized",
        id="our-credentials-are-no-fault-of-the-object",
    ),
    pytest.param(302, "", "elsewhere", Unavailable, "", id="redirects-are-no-answers"),
]


@pytest.mark.parametrize(("code", "reason", "message", "expected", "kept"), TABLE)
def test_status_to_exception(
    code: int, reason: str, message: str, expected: type[ClusterError], kept: str
) -> None:
    error = error_from(status=code, headers={}, payload=status_object(code, reason, message))
    assert type(error) is expected
    assert (error.code, error.reason, error.message) == (code, kept, message)


def test_terminating_namespace_is_named_as_the_reason() -> None:
    causes = [{"reason": "NamespaceTerminating", "field": "metadata.namespace"}]
    payload = status_object(403, "Forbidden", TERMINATING, causes=causes)
    error = error_from(status=403, headers={}, payload=payload)
    assert type(error) is Rejected
    assert error.reason == "NamespaceTerminating", "callers must tell it from a lack of rights"


@pytest.mark.parametrize(
    ("headers", "details", "expected"),
    [
        pytest.param({"Retry-After": "7"}, {}, 7.0, id="header"),
        pytest.param({}, {"retryAfterSeconds": 3}, 3.0, id="details-of-the-status"),
        pytest.param({"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}, {}, 1.0, id="a-date"),
        pytest.param({"Retry-After": "nan"}, {}, 1.0, id="not-a-number"),
        pytest.param({}, {}, 1.0, id="nothing-said"),
    ],
)
def test_busy_says_when_to_come_back(
    headers: dict[str, str], details: dict[str, Any], expected: float
) -> None:
    payload = status_object(429, "TooManyRequests", "slow down", **details)
    error = error_from(status=429, headers=headers, payload=payload)
    assert isinstance(error, Busy)
    assert error.retry_after == expected


FOREIGN = [
    pytest.param(404, b"404 page not found\n", id="kind-is-not-served-now"),
    pytest.param(404, b"<html>Not Found</html>", id="page-of-a-proxy"),
    pytest.param(404, b'{"error": "no route"}', id="json-of-a-gateway"),
    pytest.param(404, b"", id="empty"),
    pytest.param(403, b"<html>Request blocked</html>", id="firewall"),
    pytest.param(400, b"Bad Request: plain HTTP sent to an HTTPS port", id="load-balancer"),
    pytest.param(409, b"conflict", id="conflict-of-another"),
    pytest.param(407, b"proxy authentication required", id="proxy-wants-a-password"),
]


@pytest.mark.parametrize(("code", "payload"), FOREIGN)
def test_s467_an_answer_of_another_server_says_nothing_about_the_object(
    code: int, payload: bytes
) -> None:
    """As NotFound, it would end runs and release their pods."""
    error = error_from(status=code, headers={}, payload=payload)
    assert type(error) is Unavailable
    assert error.code == code
    assert "not an answer of the API server" in error.message


def test_a_request_that_a_proxy_calls_too_large_is_refused_for_good() -> None:
    error = error_from(status=413, headers={}, payload=b"<html>Request Entity Too Large")
    assert type(error) is Rejected


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        pytest.param(b"<html>bad gateway</html>", "<html>bad gateway</html>", id="a-proxy's-page"),
        pytest.param(b"", "HTTP status 502", id="empty"),
        pytest.param(b"[1]", "[1]", id="json-of-another-shape"),
        pytest.param(b"\xff" * 2000, "\ufffd" * 500, id="binary-is-cut-and-shown"),
    ],
)
def test_answers_that_are_no_status_objects(payload: bytes, message: str) -> None:
    error = error_from(status=502, headers={}, payload=payload)
    assert isinstance(error, Unavailable)
    assert error.message == message
