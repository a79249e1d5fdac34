"""Words that the style guide (docs/style.md) refuses in documents, messages and code."""

import re
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[2]
# Folders with texts, and files at the top level. The style guide and this module quote the words.
FOLDERS: Final = (
    "charts",
    "crds",
    "docs",
    "e2e",
    "examples",
    "node-images",
    "operator",
    "scripts",
    "tests",
    "ui/src",
)
ENDINGS: Final = frozenset(
    {
        "",
        ".css",
        ".lua",
        ".md",
        ".py",
        ".sh",
        ".toml",
        ".tpl",
        ".ts",
        ".tsx",
        ".txt",
        ".yaml",
    }
)
EXEMPT: Final = frozenset({"LICENSE", "docs/style.md", "tests/docs/test_words.py"})
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
    r"told",
    r"goes on(?! to\b)",
    r"under way",
)
_REFUSED: Final = re.compile(rf"\b(?:{'|'.join(REFUSED)})\b", re.IGNORECASE)


def refused_in(text: str) -> list[str]:
    """The refused words of a text, also those that a line break divides."""
    return _REFUSED.findall(" ".join(text.split()))


def texts() -> list[Path]:
    found = [path for path in ROOT.iterdir() if path.suffix in {".md", ".toml"}]
    for folder in FOLDERS:
        found += [path for path in (ROOT / folder).rglob("*") if path.suffix in ENDINGS]
    return [path for path in sorted(found) if path.is_file() and _name(path) not in EXEMPT]


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def test_no_text_has_a_refused_word() -> None:
    found = {_name(path): refused_in(path.read_text(encoding="utf-8")) for path in texts()}
    assert {name: words for name, words in found.items() if words} == {}, "see docs/style.md"


def test_each_folder_is_searched() -> None:
    names = [_name(path) for path in texts()]
    assert len(names) > 1000
    assert [folder for folder in FOLDERS if not any(n.startswith(folder) for n in names)] == []


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
