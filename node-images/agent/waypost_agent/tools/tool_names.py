"""Names of tools as models may be given them. Pure.

Servers name tools with dots, slashes and at any length; providers refuse a whole request for one
such name. The model is given an alias then; traces, usage, effects and journals have the tool's
own name.
"""

import hashlib
import re
from collections.abc import Iterable
from typing import Final

# The strictest of all: OpenAI's letters and length, and Google's first character.
_TAKEN_BY_ALL: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")
_LONGEST: Final = 64


class ToolNames:
    """The names of a node's tools. `aliases`: own name by alias, of those that need one."""

    def __init__(self, names: Iterable[str]) -> None:
        names = list(names)
        self._taken = taken = set(names)
        self.aliases: dict[str, str] = {}
        for name in names:
            if not _TAKEN_BY_ALL.fullmatch(name):
                alias = _alias(name, taken)
                taken.add(alias)
                self.aliases[alias] = name
        self._alias_of = {name: alias for alias, name in self.aliases.items()}

    def own(self, name: str) -> str:
        """The tool's own name, of the name that a model was given."""
        return self.aliases.get(name, name)

    def given(self, name: str) -> str:
        """The name that a model is given; models say the own name as well, from descriptions. A
        name that is no tool's is made one that providers take back in the conversation."""
        known = self._alias_of.get(name, name)
        return known if _TAKEN_BY_ALL.fullmatch(known) else _alias(known, self._taken)


def _alias(name: str, taken: set[str]) -> str:
    plain = re.sub(r"[^A-Za-z0-9_-]", "_", name)
    if not _TAKEN_BY_ALL.match(plain):
        plain = f"_{plain}"
    if len(plain) <= _LONGEST and plain not in taken:
        return plain
    # Made unique by the name itself: the same alias in every attempt.
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{plain[: _LONGEST - 9]}_{digest}"
