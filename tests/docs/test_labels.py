"""Labels such as S40, I3 or A5 in code, tests and documents are defined in the documents."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[2]
SEMANTICS: Final = "docs/semantics.md"
INVARIANTS: Final = "docs/invariants.md"
SEARCHED: Final = ("operator", "node-images", "tests", "e2e", "docs", "charts", "crds", "scripts")
SUFFIXES: Final = frozenset({".py", ".md", ".yaml", ".txt", ".sh", ".tpl"})

_LABEL: Final = re.compile(
    r"(?<![\w./%+-])(?:S[1-9]\d{1,2}|I[1-9]\d?|T[1-9]\d?|V[A-Z][1-9]\d?|[A-F][1-9])(?!\w)"
)
_DEFINED: Final = re.compile(r"^(?:- |\| )\*\*([A-Z]{1,2}\d+)\*\*", re.MULTILINE)
_NAMED: Final = re.compile(r"\bdef test_(s[1-9]\d{1,2}|v[a-z][1-9]\d?|[itabcdef][1-9]\d?)_")
_OLD: Final = re.compile(
    r"semantics rows? \d|\brows? \d+\b|\bcorrectness [A-F]\b|technique T\d|test_row_\d", re.I
)


def _text(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


def _sources() -> Iterator[Path]:
    """Texts that may cite a label. Recorded status documents are data."""
    for folder in SEARCHED:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in SUFFIXES and "golden/0" not in path.as_posix():
                yield path
    yield from ROOT.glob("*.md")


def _labels(line: str) -> list[str]:
    return [*_LABEL.findall(line), *(name.upper() for name in _NAMED.findall(line))]


def _cited() -> dict[str, str]:
    """Each label that is cited, and one place where it is."""
    found: dict[str, str] = {}
    for path in _sources():
        place = path.relative_to(ROOT).as_posix()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            for label in _labels(line):
                found.setdefault(label, f"{place}:{number}")
    return found


def test_every_cited_label_is_defined() -> None:
    known = {*_DEFINED.findall(_text(SEMANTICS)), *_DEFINED.findall(_text(INVARIANTS))}
    unknown = {label: place for label, place in _cited().items() if label not in known}
    assert unknown == {}, f"define them in {SEMANTICS} or {INVARIANTS}"


@pytest.mark.parametrize("path", [SEMANTICS, INVARIANTS])
def test_no_label_is_defined_twice(path: str) -> None:
    labels = _DEFINED.findall(_text(path))
    assert sorted(labels) == sorted(set(labels))


def test_statements_stand_in_order() -> None:
    labels = _DEFINED.findall(_text(SEMANTICS))
    assert labels == sorted(labels, key=lambda label: int(label[1:]))
    assert {label[0] for label in labels} == {"S"}


def test_every_statement_is_named_by_a_test() -> None:
    """That the test is a good one, no search can say."""
    tests = [path for path in _sources() if path.relative_to(ROOT).parts[0] in ("tests", "e2e")]
    named = {
        label
        for path in tests
        for line in path.read_text(encoding="utf-8").splitlines()
        for label in _labels(line)
        if path != Path(__file__)
    }
    missing = set(_DEFINED.findall(_text(SEMANTICS))) - named
    assert missing == set(), "name the label in the id, name or docstring of the test that plays it"


def test_nothing_is_cited_by_the_number_of_a_row() -> None:
    found = [
        f"{path.relative_to(ROOT)}: {match[0]}"
        for path in _sources()
        if path != Path(__file__)
        for match in _OLD.finditer(path.read_text(encoding="utf-8"))
    ]
    assert found == [], "cite a label of docs/semantics.md or docs/invariants.md"
