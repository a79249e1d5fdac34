"""docs/llms.txt lists every page for people, once, and nothing that is not there."""

import re
from collections import Counter
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"
LINKED = re.findall(r"\]\(([^)]+)\)", (DOCS / "llms.txt").read_text())


def test_every_page_is_listed_once() -> None:
    pages = {path.name for path in (*DOCS.glob("*.md"), *DOCS.glob("*.json"))}
    assert set(LINKED) == pages
    assert [name for name, times in Counter(LINKED).items() if times > 1] == []
