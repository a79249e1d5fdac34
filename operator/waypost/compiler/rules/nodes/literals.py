"""Values of nodes that no cluster and no server takes: images, amounts of resources, URLs, headers.

Without a rule, they are found when the pod is created, or in it. What holds an expression is not
known yet.
"""

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Final
from urllib.parse import SplitResult, urlsplit

from waypost.api.kinds.table import kind_of
from waypost.api.pod import QUANTITY_PATTERN, Resources
from waypost.api.workflow import AgentWorkflowSpec, Node
from waypost.compiler.problems import Problem

# Of an image, as runtimes read it: host and port, path, tag, digest.
_IMAGE: Final = re.compile(
    r"((?:[A-Za-z0-9]|[A-Za-z0-9][A-Za-z0-9.-]*[A-Za-z0-9]|\[[0-9a-fA-F:]+\])(?::[0-9]+)?/)?"
    r"[a-z0-9]+(?:(?:\.|__?|-+|/)[a-z0-9]+)*"
    r"(?::\w[\w.-]{0,127})?"
    r"(?:@[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,})?"
)
_OWN_RESOURCES: Final = ("cpu", "memory", "ephemeral-storage")
_QUANTITY: Final = re.compile(QUANTITY_PATTERN)
_SUFFIXES: Final = {
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    "": Decimal(1),
    **{name: Decimal(1000) ** power for power, name in enumerate("kMGTPE", start=1)},
    **{f"{name}i": Decimal(1024) ** power for power, name in enumerate("KMGTPE", start=1)},
}
_CONTROLS: Final = re.compile(r"[\0-\x1f\x7f]")
_HEADER_VALUE: Final = re.compile(r"[\t\x20-\x7e]*")
# Headers about the connection and the length of the body, which the client writes.
_OF_THE_CLIENT: Final = frozenset(
    ("connection", "content-length", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade")
)


def literal_problems(spec: AgentWorkflowSpec) -> Iterator[Problem]:
    """Report images, amounts of resources, URLs and headers that cannot be used."""
    defaults = spec.defaults.resources if spec.defaults is not None else None
    if defaults is not None:
        yield from _resources("defaults.resources", defaults)
    for node in spec.all_nodes:
        work = getattr(node, kind_of(node).name, None)
        place = f"{node.place}.{kind_of(node).name}"
        image, resources = getattr(work, "image", None), getattr(work, "resources", None)
        if isinstance(image, str) and "${" not in image and not _IMAGE.fullmatch(image):
            text = f"{image!r} is no name of an image; write it as registry/name:tag, in lower case"
            yield Problem(f"{place}.image", text)
        if isinstance(resources, Resources):
            yield from _resources(f"{place}.resources", resources)
        if node.http is not None:
            yield from _http(node)


def _resources(place: str, own: Resources) -> Iterator[Problem]:
    given = {"requests": own.requests or {}, "limits": own.limits or {}}
    for field, amounts in given.items():
        for name, amount in amounts.items():
            if problem := _amount_problem(name, amount):
                yield Problem(f"{place}.{field}.{name}", problem)
    limits = given["limits"]  # those of defaults do not bind a request of the node
    for name, amount in given["requests"].items():
        asked, most = _number(amount), _number(limits.get(name))
        if asked is not None and most is not None and asked > most:
            text = (
                f"{amount} is more than the limit of {limits[name]}; lower it, or raise the limit"
            )
            yield Problem(f"{place}.requests.{name}", text)


def _amount_problem(name: str, amount: str | int) -> str:
    number = _number(amount)
    if name not in _OWN_RESOURCES and "/" not in name and not name.startswith("hugepages-"):
        known = ", ".join(_OWN_RESOURCES)
        return f"is no resource; there are {known}, and those of devices such as nvidia.com/gpu"
    if number is None:
        return f"{amount!r} is no amount; write a number such as 500m, 2 or 1Gi, without blanks"
    if number < 0:
        return f"{amount} is below 0"
    if "/" in name and number != number.to_integral_value():
        return f"{amount} is no whole number, and devices are counted"
    return ""


def _number(amount: str | int | None) -> Decimal | None:
    match = _QUANTITY.match(str(amount))
    if match is None or amount is None:
        return None
    suffix = match[3] or ""
    exponent = suffix if suffix not in _SUFFIXES else ""
    number = Decimal(f"{match[1]}{exponent}") * _SUFFIXES.get(suffix, Decimal(1))
    return -number if str(amount).startswith("-") else number


def _http(node: Node) -> Iterator[Problem]:
    assert node.http is not None, "called for http nodes only"
    place = f"{node.place}.http"
    if "${" not in node.http.url and (problem := _url_problem(node.http.url)):
        yield Problem(f"{place}.url", problem)
    for at, header in enumerate(node.http.headers or []):
        if header.name.lower() in _OF_THE_CLIENT:
            text = f"{header.name} is written by the client itself; remove it"
            yield Problem(f"{place}.headers[{at}].name", text)
        value = header.value or ""
        if "${" not in value and not _HEADER_VALUE.fullmatch(value):
            text = "has characters that no header can hold: line breaks, or others than ASCII"
            yield Problem(f"{place}.headers[{at}].value", text)


def _url_problem(url: str) -> str:
    if _CONTROLS.search(url):
        return "has a control character, such as a line break"
    parts = _split(url)
    if parts is None:
        return "is no URL: its port is no number from 0 to 65535, or its address is not valid"
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return f"expected http://... or https://..., found {url[:200]!r}"
    if parts.username is not None or parts.password is not None:
        return "contains a user name or password; use auth.basic instead"
    return ""


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        return parts if parts.port is None or parts.port >= 0 else None
    except ValueError:
        return None
