"""The part of kubectl's JSONPath that people use: paths, indexes, `[*]`, text, range and end."""

import json
import re
from collections.abc import Iterator
from typing import Any, Final

from waypost.cli.errors import CommandError, Exit

_PART: Final = re.compile(r"\{((?:\"(?:\\.|[^\"])*\"|[^}])*)\}")
_STEP: Final = re.compile(
    r"\.(?P<key>(?:\\.|[\w-])+)|\[(?P<index>-?\d+)\]|\[(?P<all>\*)\]|\.(?P<any>\*)"
    r"|\['(?P<quoted>[^']*)'\]"
)
Token = tuple[str, str]  # text, path, range or end; and its content


def evaluate(template: str, document: Any) -> str:
    r"""The text of a template such as `{.phase}` or `{range .items[*]}{.name}{"\n"}{end}`.

    A field that does not exist gives no text, as in kubectl.

    Raises:
        CommandError: The template uses something else; filters, for example.
    """
    tokens = list(_tokens(template))
    text, rest = _render(tokens, document, nested=False)
    if rest:
        raise _wrong(template, "{end} without {range}")
    return text


def _tokens(template: str) -> Iterator[Token]:
    at = 0
    for found in _PART.finditer(template):
        if found.start() > at:
            yield "text", _closed(template, template[at : found.start()])
        at = found.end()
        yield _token(template, found[1].strip())
    if at < len(template):
        yield "text", _closed(template, template[at:])


def _closed(template: str, text: str) -> str:
    if "{" in text:
        raise _wrong(template, f"{text!r} has a {{ without a }}")
    return text


def _token(template: str, inner: str) -> Token:
    if inner.startswith('"'):
        try:
            return "text", str(json.loads(inner))
        except ValueError as error:
            raise _wrong(template, f"{inner} is no text") from error
    if inner == "end":
        return "end", ""
    if inner.startswith("range "):
        return "range", _checked(template, inner.removeprefix("range ").strip())
    return "path", _checked(template, inner)


def _checked(template: str, path: str) -> str:
    path = path.removeprefix("$").removeprefix("@")
    path = "" if path == "." else path
    if _STEP.sub("", path):
        raise _wrong(template, f"{path!r} is no path of .key, [0], [*] and ['key']")
    return path


def _wrong(template: str, why: str) -> CommandError:
    text = f"-o jsonpath={template}: {why}; an example is {{.nodes[*].path}}"
    return CommandError(text, code=Exit.USAGE)


def _render(tokens: list[Token], value: Any, *, nested: bool) -> tuple[str, list[Token]]:
    """The text up to the end of a range, or of the template; and the tokens after it."""
    text, rest = "", tokens
    while rest:
        (kind, content), rest = rest[0], rest[1:]
        if kind == "end":
            return (text, rest) if nested else (text, [(kind, content), *rest])
        if kind == "text":
            text += content
        elif kind == "path":
            text += " ".join(_shown(one) for one in _values(value, content))
        else:
            inner = rest
            _, rest = _render(inner, None, nested=True)
            text += "".join(_render(inner, one, nested=True)[0] for one in _values(value, content))
    return text, []


def _values(value: Any, path: str) -> list[Any]:
    found = [value]
    for step in _STEP.finditer(path):
        found = [inner for one in found for inner in _step(one, step)]
    return found


def _step(value: Any, step: re.Match[str]) -> list[Any]:
    if step["all"] or step["any"]:
        return list(value.values()) if isinstance(value, dict) else list(value or ())
    if step["index"] is not None:
        index = int(step["index"])
        inside = isinstance(value, list) and -len(value) <= index < len(value)
        return [value[index]] if inside else []
    key = step["quoted"] if step["quoted"] is not None else step["key"].replace("\\", "")
    return [value[key]] if isinstance(value, dict) and key in value else []


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
