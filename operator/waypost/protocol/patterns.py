"""How big a regular expression becomes when its counted repetitions are written out."""

import re
from collections.abc import Iterator
from typing import Any, Final

# Of all patterns of a schema. A state of a class such as \\w takes some kilobytes.
MAX_SIZE: Final = 5_000

_TOKEN: Final = re.compile(
    r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\((?:\?[^)(]*?[:=!>])?|\)|\||\{\d+(?:,\d*)?\}|.", re.DOTALL
)


def of(part: dict[str, Any]) -> Iterator[str]:
    """The regular expressions of one schema."""
    if isinstance(part.get("pattern"), str):
        yield part["pattern"]
    named = part.get("patternProperties")
    yield from named if isinstance(named, dict) else ()


def size(pattern: str) -> int:
    """The states of `pattern`, about one for each character of it that is to be matched."""
    totals = [0]  # of the groups that are open
    last = 0
    for token in _TOKEN.findall(pattern):
        if token.startswith("("):
            totals.append(0)
            last = 0
        elif token == ")" and len(totals) > 1:
            last = totals.pop()
            totals[-1] += last
        elif token.startswith("{") and len(token) > 2:
            times = max(int(number) for number in re.findall(r"\d+", token)[:2])
            totals[-1] += last * max(times - 1, 0)
            last *= max(times, 1)
        elif token not in "|*+?^$":
            last = 1
            totals[-1] += 1
    return sum(totals)
