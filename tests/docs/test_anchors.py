"""Links to a heading of a document lead to a heading that exists."""

import re
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[2]
DOCUMENTS: Final = [
    *sorted(ROOT.glob("*.md")),
    *sorted(ROOT.glob("docs/**/*.md")),
    *sorted(ROOT.glob("charts/*/*.md")),
    *sorted(ROOT.glob("examples/*/*.md")),
]
_LINK: Final = re.compile(r"\]\(([^)#\s]*)#([^)\s]+)\)")
_HEADING: Final = re.compile(r"^#+ (.+)$", re.MULTILINE)


def anchors_of(text: str) -> set[str]:
    """The anchors of a document as GitHub makes them."""
    headings = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in _HEADING.findall(text))
    return {heading.replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_anchors_exist(path: Path) -> None:
    for target, anchor in _LINK.findall(path.read_text(encoding="utf-8")):
        if "://" not in target:
            document = path.parent / target if target else path
            known = anchors_of(document.read_text(encoding="utf-8"))
            assert anchor in known, f"{target}#{anchor}; its headings are {sorted(known)}"
