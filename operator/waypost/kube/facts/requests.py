"""What a pod's request says of its node, for an attempt whose definition is lost."""

from functools import lru_cache
from typing import Any, Final

from waypost.kube.kinds.table import KINDS
from waypost.kube.objects import section, text
from waypost.protocol import ijson

_KEPT: Final = 256  # requests, of at most 8 KiB


def launched_as(request: Any) -> tuple[str, str]:
    """The kind of the node, and the JSON text of its outputSchema, in a pod's request document.

    Args:
        request: The annotation with the document, if there is one: a document above 8 KiB is in a
            ConfigMap.

    Returns:
        The kind is "" if it is not known. The schema is "" if there is none, it is not known, or
        the program itself checks its output.
    """
    if not isinstance(request, str):
        return "", ""
    return _parsed(request)


@lru_cache(maxsize=_KEPT)  # a pod changes some eight times, and its request never does
def _parsed(request: str) -> tuple[str, str]:
    try:
        document = ijson.parse(request)
    except ijson.IJsonError:
        return "", ""
    kind = text(section(document), "kind")
    if kind not in KINDS:
        return "", ""
    schema = section(document).get("outputSchema")
    if schema is None or KINDS[kind].runs_waypost:
        return kind, ""
    return kind, ijson.canonical(schema).decode()
