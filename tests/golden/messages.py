"""Every message of waypost.dev in one file, so that a change of words is seen in review.

`python -m tests.golden.messages` writes messages.txt. A further source of messages is one entry
of SECTIONS.
"""

import itertools
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

from waypost.api.crd.cel_rule import Cel, Rule
from waypost.api.crd.rules.table import RULES
from waypost.compiler.vocabulary import NOT_YET, OUR_FIELD, unknown_field

FILE: Final = Path(__file__).parent / "messages.txt"
_LONGEST_SHOWN = 30


def rendered() -> str:
    """The text of messages.txt as of now."""
    sections = (
        "\n".join([f"# {title}", *sorted(set(lines()))]) for title, lines in SECTIONS.items()
    )
    return "\n\n".join(sections) + "\n"


def _rules_of_crds() -> Iterator[str]:
    for carrier, rules in RULES.items():
        for rule in itertools.chain.from_iterable(rule.parts or (rule,) for rule in rules):
            field = f".{rule.place}" if rule.place else rule.field_path or ""
            yield f"{carrier}{field}: {_text(rule)}"


def _words_of_other_systems() -> Iterator[str]:
    for word in (*OUR_FIELD, *NOT_YET):
        yield unknown_field(word, path="spec.nodes[0]", known=("name",))


def _text(rule: Rule) -> str:
    return "".join(
        f"<{part if len(part) <= _LONGEST_SHOWN else '...'}>" if isinstance(part, Cel) else part
        for part in rule.message
    )


SECTIONS: Final[Mapping[str, Callable[[], Iterator[str]]]] = {
    "Rules of the CustomResourceDefinitions (the API server and `waypost lint`)": _rules_of_crds,
    "Unknown fields that are words of other systems": _words_of_other_systems,
}


if __name__ == "__main__":
    FILE.write_text(rendered(), encoding="utf-8")
    print(FILE)
