"""Words that the style guide (docs/style.md) refuses in what users read."""

import re
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[2]
READ_BY_USERS: Final = (
    "README.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "docs/*.md",
    "crds/*.yaml",
    "charts/waypost/*.md",
    "charts/waypost/*.yaml",
    "charts/waypost/templates/*",
)
# Texts that still have such words; remove an entry when its text is clean. The style guide quotes
# the words.
EXEMPT: Final = frozenset(
    {
        "docs/style.md",
        "docs/agent-nodes.md",
        "docs/providers.md",
        "crds/waypost.dev_agentworkflows.yaml",
        "crds/waypost.dev_toolservers.yaml",
    }
)
# "of its own" before a noun is a genitive and fine: "the record of its own attempt".
REFUSED: Final = (
    r"whoever",
    r"of (?:its|one's|their) own(?! (?:namespace|attempt|round|pod)\b)",
    r"for ever",
    r"anew",
    r"in vain",
    r"foretold",
    r"thereof",
    r"lest",
)
_REFUSED: Final = re.compile(rf"\b(?:{'|'.join(REFUSED)})\b", re.IGNORECASE)


def refused_in(text: str) -> list[str]:
    """The refused words of a text, also those that a line break divides."""
    return _REFUSED.findall(" ".join(text.split()))


def texts() -> list[Path]:
    found = [path for pattern in READ_BY_USERS for path in sorted(ROOT.glob(pattern))]
    return [path for path in found if path.is_file() and _name(path) not in EXEMPT]


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", texts(), ids=_name)
def test_text_has_no_refused_word(path: Path) -> None:
    assert refused_in(path.read_text(encoding="utf-8")) == [], "docs/style.md says what to write"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        pytest.param("Whoever asks", ["Whoever"], id="capital"),
        pytest.param("for\n  ever", ["for ever"], id="across-lines"),
        pytest.param("a pod of its own", ["of its own"], id="of-its-own"),
        pytest.param("the record of its own attempt", [], id="genitive"),
        pytest.param("forever, latest, largest", [], id="parts-of-words"),
    ],
)
def test_what_is_refused(text: str, found: list[str]) -> None:
    assert refused_in(text) == found


def test_exempt_texts_exist() -> None:
    assert [name for name in EXEMPT if not (ROOT / name).is_file()] == []
