"""Where a file of the repository is on the site, and links between the two."""

import posixpath
import re
from typing import Final

# Documents outside docs/ that are pages: file -> page.
DOCUMENTS: Final = {
    "README.md": "index.md",
    "CHANGELOG.md": "changes.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security-policy.md",
    "charts/waypost/README.md": "chart.md",
}
FOLDERS: Final = {"docs/adr": "adr/index.md", "examples": "examples/index.md"}

_LINK: Final = re.compile(r"(?P<image>!?)\[(?P<text>[^\]]*)\]\((?P<to>[^)\s]+)\)")
_FENCE: Final = re.compile(r"^\s*(```|~~~)")


def page_of(path: str) -> str | None:
    """The page or file of the site that shows a file or folder of the repository.

    Args:
        path: From the top of the repository, `/` between parts.

    Returns:
        The path below docs/ as MkDocs sees it, or None if the site does not show it.
    """
    if path in DOCUMENTS or path in FOLDERS:
        return {**DOCUMENTS, **FOLDERS}[path]
    if path.startswith("examples/"):
        return f"examples/{path.split('/')[1]}.md"
    return path.removeprefix("docs/") if path.startswith("docs/") else None


def document_of(page: str) -> str | None:
    """The file of the repository whose text a page shows; None for lists and for the reference."""
    for path, shown in DOCUMENTS.items():
        if shown == page:
            return path
    if page in FOLDERS.values() or page.startswith("reference/"):
        return None
    if page.startswith("examples/"):
        return f"{page.removesuffix('.md')}/README.md"
    return f"docs/{page}"


def with_site_links(text: str, *, path: str, page: str) -> str:
    """Point the relative links of a document to pages of the site.

    A link to a file that the site never shows becomes its text. Code blocks stay as they are. A
    link to a page that does not exist stays, and MkDocs reports it.

    Args:
        text: The document, in Markdown.
        path: Its file in the repository.
        page: Its page on the site.
    """

    def site_link(match: re.Match[str]) -> str:
        target = match["to"]
        if "://" in target or target.startswith(("#", "mailto:")):
            return match[0]
        name, hash_, anchor = target.partition("#")
        found = page_of(posixpath.normpath(posixpath.join(posixpath.dirname(path), name)))
        if found is None:
            return match["text"]
        to = posixpath.relpath(found, posixpath.dirname(page) or ".")
        return f"{match['image']}[{match['text']}]({to}{hash_}{anchor})"

    lines, code = [], False
    for line in text.splitlines(keepends=True):
        code ^= bool(_FENCE.match(line))
        lines.append(line if code else _LINK.sub(site_link, line))
    return "".join(lines)
