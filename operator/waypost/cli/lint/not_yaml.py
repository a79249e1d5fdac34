"""What a person most likely meant with text that is not YAML: the parser names only a character."""

import re
from typing import Final

from waypost.protocol.text import shorten

_SHOWN: Final = 80
_UNQUOTED_EXPRESSION: Final = re.compile(r"""(?:^|[:,\[{-])\s*[^"'#\s]?[^"'#]*\$\{""")
_SECOND_COLON: Final = re.compile(r"""^[^"'#]*:\s[^"'#{]*:\s""")
_NO_START: Final = re.compile(r"^\s*(?:-\s+)?(?:[\w.-]+:\s+)?[@`%]")


def advice(text: str, line: int, said: str) -> str:
    """The end of a message that begins with ";": the line, and what to do about it.

    Args:
        text: The document.
        line: The line at which the parser stopped, from 0.
        said: The text of the parser.
    """
    lines = text.split("\n")
    found = lines[line] if line < len(lines) else ""
    shown = f"; found {shorten(found.strip(), _SHOWN)!r}" if found.strip() else ""
    if "\t" in found[: len(found) - len(found.lstrip())]:
        return f"{shown}: YAML indents with spaces, not with tabs"
    if "undefined alias" in said:
        return f"{shown}: an alias such as *a needs an anchor &a before it in the same document"
    if _UNQUOTED_EXPRESSION.search(found):
        return f'{shown}: put a text with ${{...}} in quotes, such as "${{inputs.x}}"'
    if _SECOND_COLON.search(found):
        return f"{shown}: put a text that holds ': ' in quotes"
    if _NO_START.search(found):
        return f"{shown}: put a text that begins with @, ` or % in quotes"
    if "did not find expected key" in said or "block" in said:
        return f"{shown}: entries of one object or list begin in the same column"
    return shown
