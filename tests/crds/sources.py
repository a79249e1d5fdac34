"""EventSources: what the API server takes, and what it refuses."""

from typing import Any

import pytest

from tests.crds.manifests import Manifest

SECRET: Manifest = {"name": "hook", "key": "secret"}
HMAC: Manifest = {"hmac": {"preset": "GitHub", "secrets": [SECRET]}}
RULE: Manifest = {"event": {"name": "push", "key": "${body.repository}"}}


START: Manifest = {"start": {"templateRef": {"name": "triage"}, "inputs": {"n": "${body.n}"}}}


def source(name: str = "github", **spec: Any) -> Manifest:
    """A source of GitHub; `spec` changes its fields."""
    fields = {"auth": HMAC, "rules": [RULE], **spec}
    return {
        "apiVersion": "waypost.dev/v1alpha1",
        "kind": "EventSource",
        "metadata": {"name": name},
        "spec": {key: value for key, value in fields.items() if value is not None},
    }


def oidc(**changed: Any) -> Manifest:
    """A source with tokens of an issuer."""
    fields = {
        "issuer": "https://token.actions.githubusercontent.com",
        "audience": "https://waypost.example/ci",
        "claims": {"repository": ["octo/hello"], "urn:x/y.z": ["a", "b"]},
    }
    return source(auth={"oidc": {**fields, **changed}}, requestsPerMinute=600)


FULL: Manifest = source(
    auth={"bearer": {"tokens": [SECRET, {"name": "old", "key": "token"}]}},
    schema={"type": "object", "properties": {"n": {"type": "integer"}}},
    headers=["x-github-event", "x-a"],
    rules=[
        {
            "when": "${body.n > 1}",
            "id": "${body.id}",
            "event": {"name": "a", "key": "b", "payload": {"n": ["${body.n}", None]}},
        },
        RULE,
        START,
    ],
    requestsPerMinute=60000,
    suspend=True,
)

ACCEPTED = [
    pytest.param(source(requestsPerMinute=600), "the smallest", id="source-small"),
    pytest.param(FULL, "all fields", id="source-full"),
    pytest.param(oidc(), "tokens of an issuer", id="source-oidc"),
]


def row(id: str, manifest: Manifest, *says: str) -> Any:
    """One row: what kubectl prints contains each of `says`."""
    return pytest.param(manifest, says, id=id)


REFUSED = [
    row("source-without-auth", source(auth=None), "spec.auth"),
    row("source-auth-of-nothing", source(auth={}), "none of hmac, bearer and oidc is set"),
    row(
        "source-auth-of-two",
        source(auth={**HMAC, "bearer": {"tokens": [SECRET]}}),
        "hmac, bearer are set; keep one of them",
    ),
    row("source-oidc-in-clear-text", oidc(issuer="http://issuer.example"), "spec.auth.oidc.issuer"),
    row("source-oidc-of-everybody", oidc(claims={}), "spec.auth.oidc.claims"),
    row("source-oidc-of-no-value", oidc(claims={"sub": []}), "spec.auth.oidc.claims.sub"),
    row("source-oidc-without-audience", oidc(audience=""), "spec.auth.oidc.audience"),
    row(
        "source-preset",
        source(auth={"hmac": {"preset": "GitLab", "secrets": [SECRET]}}),
        "spec.auth.hmac.preset",
    ),
    row("source-rule-of-nothing", source(rules=[{"id": "a"}]), "neither event nor start is set"),
    row("source-rule-of-two", source(rules=[{**RULE, **START}]), "both event and start are set"),
    row("source-without-rules", source(rules=[]), "spec.rules"),
    row("source-header", source(headers=["X-A"]), "spec.headers[0]"),
    row("source-rate", source(requestsPerMinute=0), "spec.requestsPerMinute"),
    row("source-unknown-field", source(url="x"), "url"),
]
