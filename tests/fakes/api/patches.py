"""The three patch formats, applied as the API server applies them. Pure: bodies in, body out."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from waypost.ports.cluster import Obj, PatchType, Rejected

from tests.fakes.api.wire import copied, normal

MAX_OPERATIONS: Final = 10_000
_DELETE_FINALIZERS: Final = "$deleteFromPrimitiveList/finalizers"


def apply(body: Obj, patch: Any, patch_type: PatchType) -> Obj:
    """`body` with `patch` applied; `body` stays as it is. Raises Rejected: 422 if an operation of
    a JSON Patch fails, 400 for an invalid patch."""
    if patch_type is PatchType.JSON:
        return json_patch(body, patch)
    if not isinstance(patch, Mapping):
        raise _bad_request(f"a {patch_type.value} is an object, found {type(patch).__name__}")
    if patch_type is PatchType.MERGE:
        return merge_patch(body, patch)
    return strategic_patch(body, patch)


def merge_patch(body: Obj, patch: Mapping[str, Any]) -> Obj:
    """RFC 7386. Every null in the patch vanishes, and with it nulls inside lists: the API
    server's library drops those too."""
    return _merged(copied(body), patch)


def strategic_patch(body: Obj, patch: Mapping[str, Any]) -> Obj:
    """Only what the operator uses of it: plain maps, and
    `metadata.$deleteFromPrimitiveList/finalizers`. Anything else is a mistake of the test."""
    metadata = dict(patch.get("metadata", {}))
    gone = metadata.pop(_DELETE_FINALIZERS, [])
    _refuse_lists({**patch, "metadata": metadata}, "")
    result = _merged(copied(body), {**patch, "metadata": metadata})
    kept = [item for item in result["metadata"].get("finalizers", []) if item not in gone]
    result["metadata"].pop("finalizers", None)
    if kept:
        result["metadata"]["finalizers"] = kept
    return result


def json_patch(body: Obj, patch: Any) -> Obj:
    """RFC 6902."""
    if not isinstance(patch, Sequence) or isinstance(patch, str | bytes):
        raise _bad_request("a JSON patch is a list of operations")
    if len(patch) > MAX_OPERATIONS:
        text = f"the allowed maximum operations in a JSON patch is {MAX_OPERATIONS}"
        raise Rejected(text, code=413, reason="RequestEntityTooLarge")
    result: Any = copied(body)
    for operation in patch:
        name = operation.get("op")
        if name not in _OPERATIONS or not isinstance(operation.get("path"), str):
            raise _failed(f"unexpected operation: {operation!r}")
        result = _OPERATIONS[name](result, operation)
    if not isinstance(result, dict):
        raise _failed("the result is not an object")
    return result


def _merged(target: Any, patch: Mapping[str, Any]) -> Obj:
    merged: Obj = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = _value(merged.get(key), value)
    return merged


def _value(target: Any, patch: Any) -> Any:
    if isinstance(patch, Mapping):
        return _merged(target, patch)
    return _without_nulls(normal(patch))


def _without_nulls(value: Any) -> Any:
    """What replaces a value: maps inside lists lose their nulls, lists keep theirs."""
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_without_nulls(item) for item in value]
    return value


def _refuse_lists(patch: Any, at: str) -> None:
    for key, value in patch.items():
        place = f"{at}.{key}".lstrip(".")
        if key.startswith("$") or isinstance(value, list):
            raise NotImplementedError(f"strategic merge of {place} is not simulated")
        if isinstance(value, Mapping):
            _refuse_lists(value, place)


def _bad_request(text: str) -> Rejected:
    return Rejected(text, code=400, reason="BadRequest")


def _failed(text: str) -> Rejected:
    return Rejected(text, code=422, reason="Invalid")


def _steps(path: str) -> list[str]:
    if not path:
        return []
    if not path.startswith("/"):
        raise _failed(f"{path!r} is not a JSON pointer")
    return [step.replace("~1", "/").replace("~0", "~") for step in path[1:].split("/")]


def _index(step: str, length: int) -> int:
    if not step.isdecimal() or (len(step) > 1 and step[0] == "0") or int(step) >= length:
        raise _failed(f"{step!r} is no index below {length}")
    return int(step)


def _step(value: Any, step: str, path: str) -> Any:
    if isinstance(value, dict):
        if step in value:
            return value[step]
        raise _failed(f"doc is missing key: {path}")
    if isinstance(value, list):
        return value[_index(step, len(value))]
    raise _failed(f"doc is missing path: {path}")


def _read(document: Any, path: str) -> Any:
    value = document
    for step in _steps(path):
        value = _step(value, step, path)
    return value


def _parent(document: Any, path: str) -> tuple[Any, str]:
    steps = _steps(path)
    if not steps:
        raise NotImplementedError("patching the whole document is not simulated")
    value = document
    for step in steps[:-1]:
        value = _step(value, step, path)
    if not isinstance(value, dict | list):
        raise _failed(f"doc is missing path: {path}")
    return value, steps[-1]


def _put(document: Any, path: str, value: Any) -> Any:
    parent, last = _parent(document, path)
    if isinstance(parent, dict):
        parent[last] = value
    elif last == "-":
        parent.append(value)
    else:
        parent.insert(_index(last, len(parent) + 1), value)
    return document


def _take(document: Any, path: str) -> Any:
    parent, last = _parent(document, path)
    _step(parent, last, path)
    if isinstance(parent, dict):
        del parent[last]
    else:
        del parent[_index(last, len(parent))]
    return document


def _add(document: Any, operation: Mapping[str, Any]) -> Any:
    return _put(document, operation["path"], normal(operation.get("value")))


def _remove(document: Any, operation: Mapping[str, Any]) -> Any:
    return _take(document, operation["path"])


def _replace(document: Any, operation: Mapping[str, Any]) -> Any:
    parent, last = _parent(document, operation["path"])
    _step(parent, last, operation["path"])
    if isinstance(parent, dict):
        parent[last] = normal(operation.get("value"))
    else:
        parent[_index(last, len(parent))] = normal(operation.get("value"))
    return document


def _move(document: Any, operation: Mapping[str, Any]) -> Any:
    value = normal(_read(document, operation["from"]))
    return _put(_take(document, operation["from"]), operation["path"], value)


def _copy(document: Any, operation: Mapping[str, Any]) -> Any:
    return _put(document, operation["path"], normal(_read(document, operation["from"])))


def _test(document: Any, operation: Mapping[str, Any]) -> Any:
    path = operation["path"]
    if not _same(_read(document, path), normal(operation.get("value"))):
        raise _failed(f"testing value {path} failed: test failed")
    return document


def _same(left: Any, right: Any) -> bool:
    """Equal as JSON: True is not 1."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(_same(left[k], right[k]) for k in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(_same, left, right))
    return bool(left == right)


_OPERATIONS: Final[Mapping[str, Callable[[Any, Mapping[str, Any]], Any]]] = {
    "add": _add,
    "remove": _remove,
    "replace": _replace,
    "move": _move,
    "copy": _copy,
    "test": _test,
}
