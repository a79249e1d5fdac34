"""The order of pages: that of docs/llms.txt, then reference, examples and decisions."""

import re
from collections.abc import Iterable
from typing import Any, Final

_SECTION: Final = re.compile(r"^## (.+)$")
_PAGE: Final = re.compile(r"\[([^\]]+)\]\(([^)#]+\.md)\)")
Nav = list[dict[str, Any]]


def listed_pages(index: str) -> Nav:
    """The sections of docs/llms.txt with their pages, `Optional` as `Background`."""
    nav: Nav = []
    for line in index.splitlines():
        if found := _SECTION.match(line):
            title = "Background" if found[1] == "Optional" else found[1]
            nav.append({title: []})
        elif nav:
            pages = next(iter(nav[-1].values()))
            pages += [{title[0].upper() + title[1:]: page} for title, page in _PAGE.findall(line)]
    return nav


def navigation(
    index: str, *, reference: Nav, examples: Iterable[str], decisions: Iterable[str]
) -> Nav:
    """All pages in their order.

    Args:
        index: The text of docs/llms.txt.
        reference: Titles and pages of the reference.
        examples: Pages of examples, without their list.
        decisions: Pages of decisions (ADRs), without their list.
    """
    return [
        {"Overview": "index.md"},
        *listed_pages(index),
        {"Reference": reference},
        {"Examples": ["examples/index.md", *sorted(examples)]},
        {"Decisions": ["adr/index.md", *sorted(decisions)]},
        {
            "Project": [
                {"Changes": "changes.md"},
                {"Contributing": "contributing.md"},
                {"Report a vulnerability": "security-policy.md"},
            ]
        },
    ]
