"""Whether the API server checks who answers Approvals: its policy and binding, read live."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from waypost.api import meta
from waypost.kube.objects import items, section, text
from waypost.kube.timestamps import parse_timestamp

# The API servers apply a policy about a second after it was stored; clocks differ.
SETTLED: Final = timedelta(seconds=10)
_NAMESPACE: Final = "kubernetes.io/metadata.name"


@dataclass(frozen=True)
class Guard:
    """What was found.

    Attributes:
        seal: Stands for the policy and the binding as they are: two looks with the same seal mean
            that both existed unchanged between them. "" if they do not protect the namespace.
        problem: Why they do not; "" if they do.
        recent: They were changed a moment ago, so that not every API server may apply them yet. For
            a new question that is as if they were not there.
        fresh: They were read in this pass, after the Approvals.
    """

    seal: str = ""
    problem: str = ""
    recent: bool = False
    fresh: bool = False


def guard_of(name: str, policy: Any, binding: Any, *, namespace: str, now: datetime) -> Guard:
    """What a policy and its binding do for a namespace.

    Args:
        name: Name of both.
        policy: The ValidatingAdmissionPolicy; None if there is none.
        binding: Its binding; None if there is none.
        namespace: The namespace of the Approvals.
        now: The time of the look.
    """
    if problem := _problem(name, policy, binding, namespace):
        return Guard(problem=problem)
    changed = max(_changed_at(policy, now), _changed_at(binding, now))
    seal = f"{_mark(policy)}.{_mark(binding)}"
    return Guard(seal=seal, recent=now < changed + SETTLED)


def _problem(name: str, policy: Any, binding: Any, namespace: str) -> str:
    for kind, body in (("", policy), ("Binding", binding)):
        if body is None:
            return f"ValidatingAdmissionPolicy{kind} {name} does not exist"
        if section(body, "metadata").get("deletionTimestamp"):
            return f"ValidatingAdmissionPolicy{kind} {name} is being deleted"
    rules = section(policy, "spec")
    guarded = any(
        "approvals" in items_of(rule, "resources") and meta.GROUP in items_of(rule, "apiGroups")
        for rule in items(rules, "matchConstraints", "resourceRules")
    )
    if not guarded or not items(rules, "validations") or text(rules, "failurePolicy") != "Fail":
        return f"ValidatingAdmissionPolicy {name} does not check all answers of Approvals"
    bound = section(binding, "spec")
    if text(bound, "policyName") != name or "Deny" not in items_of(bound, "validationActions"):
        return f"ValidatingAdmissionPolicyBinding {name} does not deny"
    if not _covers(section(bound, "matchResources"), namespace):
        return f"ValidatingAdmissionPolicyBinding {name} does not cover namespace {namespace}"
    return ""


def items_of(body: Any, key: str) -> list[Any]:
    """A list of texts of an object; [] if it has another form."""
    found = body.get(key) if isinstance(body, dict) else None
    return found if isinstance(found, list) else []


def _covers(resources: dict[str, Any], namespace: str) -> bool:
    """Whether a binding holds in a namespace; of selectors, those that the chart makes are read."""
    if not resources:
        return True
    if {key for key, value in resources.items() if value} - {"namespaceSelector", "matchPolicy"}:
        return False
    selector = section(resources, "namespaceSelector")
    if not any(selector.values()):
        return True
    found = items(selector, "matchExpressions")
    if len(found) != 1 or selector.get("matchLabels"):
        return False
    named = found[0].get("key"), found[0].get("operator")
    return named == (_NAMESPACE, "In") and namespace in items_of(found[0], "values")


def _mark(body: Any) -> str:
    metadata = section(body, "metadata")
    return f"{text(metadata, 'uid')}.{metadata.get('generation', 0)}"


def _changed_at(body: Any, now: datetime) -> datetime:
    """When an object was last changed, as far as it says so."""
    metadata = section(body, "metadata")
    times = [text(metadata, "creationTimestamp")]
    times += [text(one, "time") for one in items(metadata, "managedFields")]
    known = [found for found in map(parse_timestamp, times) if found is not None]
    return max(known) if known else now
