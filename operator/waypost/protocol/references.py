"""Where a local reference of a schema leads."""

from urllib.parse import unquote

from waypost.protocol.ijson import Json


def target_of(root: Json, reference: Json) -> Json:
    """What `#/...` names in `root`; None when that is nothing, or no local pointer."""
    if not isinstance(reference, str) or not (reference == "#" or reference.startswith("#/")):
        return None
    target = root
    for step in unquote(reference[1:]).split("/")[1:]:
        key = step.replace("~1", "/").replace("~0", "~")
        if isinstance(target, list) and key.isdigit() and int(key) < len(target):
            target = target[int(key)]
        else:
            target = target.get(key) if isinstance(target, dict) else None
    return target
