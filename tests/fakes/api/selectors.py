"""Label and field selectors, as texts."""

import re
from collections.abc import Callable, Mapping

from waypost.ports.cluster import Kind, Obj, Rejected

Labels = Mapping[str, str]
_SET = re.compile(r"^(?P<key>\S+)\s+(?P<op>in|notin)\s+\((?P<values>[^()]*)\)$")
_PAIR = re.compile(r"^(?P<key>[^=!\s]+)\s*(?P<op>==|=|!=)\s*(?P<value>[^=!\s]*)$")
# The characters \\ , = of a value are escaped.
_FIELD = re.compile(r"^(?P<key>[^=!\s]+)(?P<op>==|=|!=)(?P<value>(?:[^\\,=]|\\[\\,=])*)$")
_BARE = re.compile(r"^(?P<not>!?)\s*(?P<key>[^=!\s(),]+)$")

_COMMON_FIELDS = ("metadata.name", "metadata.namespace")
_FIELDS: Mapping[Kind, tuple[str, ...]] = {
    Kind.POD: ("spec.nodeName", "spec.restartPolicy", "spec.serviceAccountName", "status.phase"),
    Kind.JOB: ("status.successful",),
    Kind.NAMESPACE: ("status.phase",),
    Kind.WORKFLOW_EVENT: ("spec.key", "spec.workflow"),
    Kind.EVENT: (
        "involvedObject.kind",
        "involvedObject.namespace",
        "involvedObject.name",
        "involvedObject.uid",
        "involvedObject.apiVersion",
        "involvedObject.resourceVersion",
        "involvedObject.fieldPath",
        "reason",
        "reportingComponent",
        "source",
        "type",
    ),
}


def label_selector(text: str) -> Callable[[Labels], bool]:
    """Whether labels meet a selector text. Raises Rejected (400) for one that does not parse."""
    checks = [_requirement(part) for part in _split(text)]
    return lambda labels: all(check(labels) for check in checks)


def field_selector(kind: Kind, text: str) -> Callable[[Obj], bool]:
    """Whether an object meets a field selector text. Raises Rejected (400) for a field that the
    API server does not index for the kind."""
    pairs = [_pair(kind, part) for part in re.split(r"(?<!\\),", text) if part.strip()]
    return lambda body: all((_at(body, path) == value) == equal for path, value, equal in pairs)


def _split(text: str) -> list[str]:
    parts = re.split(r",(?![^()]*\))", text)
    return [part.strip() for part in parts if part.strip()]


def _requirement(part: str) -> Callable[[Labels], bool]:
    if match := _SET.match(part):
        key, wanted = match["key"], match["op"] == "in"
        values = {value.strip() for value in match["values"].split(",")}
        # notin is also met by objects without the label.
        return lambda labels: (labels[key] in values) == wanted if key in labels else not wanted
    if match := _PAIR.match(part):
        key, value, wanted = match["key"], match["value"], match["op"] != "!="
        return lambda labels: (labels.get(key) == value) == wanted
    if match := _BARE.match(part):
        key, wanted = match["key"], not match["not"]
        return lambda labels: (key in labels) == wanted
    raise Rejected(f"unable to parse requirement: {part!r}", code=400, reason="BadRequest")


def _pair(kind: Kind, part: str) -> tuple[str, str, bool]:
    match = _FIELD.match(part.strip())
    known = (*_COMMON_FIELDS, *_FIELDS.get(kind, ()))
    if match is None or match["key"] not in known:
        label = match["key"] if match else part
        raise Rejected(f"field label not supported: {label}", code=400, reason="BadRequest")
    return match["key"], re.sub(r"\\(.)", r"\1", match["value"]), match["op"] != "!="


def _at(body: Obj, path: str) -> str:
    value: object = body
    for key in path.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    return "" if value is None else str(value)
