"""A small MCP server: the documents of a folder, to search, to read, and to delete.

    python library.py FOLDER [--host ADDRESS] [--port PORT]

Needs the package `mcp`; it is in Waypost's agent image.
"""

import argparse
import re
from pathlib import Path

from mcp.server.mcpserver import MCPServer

_WORD = re.compile(r"[a-z0-9]+")
_FOUND = 5


def library(folder: Path) -> MCPServer:
    """A server for the Markdown files of a folder."""
    server = MCPServer("library", instructions="Post-mortems, release notes and runbooks.")

    @server.tool()
    def search(query: str) -> list[dict[str, str]]:
        """Documents that have words of the query: id, title and first line, the best first."""
        words = set(_WORD.findall(query.lower()))
        scored = []
        for path in sorted(folder.glob("*.md")):
            text = path.read_text(encoding="utf-8")
            score = len(words & set(_WORD.findall(text.lower())))
            if score:
                title, _, rest = text.partition("\n")
                scored.append((-score, path.stem, title.lstrip("# "), rest.strip().split("\n")[0]))
        return [
            {"id": name, "title": title, "begins": begins}
            for _, name, title, begins in sorted(scored)[:_FOUND]
        ]

    @server.tool()
    def read(id: str) -> str:
        """The whole text of a document."""
        return _path(folder, id).read_text(encoding="utf-8")

    @server.tool()
    def delete(id: str) -> str:
        """Remove a document for good."""
        _path(folder, id).unlink()
        return f"{id} is gone"

    return server


def _path(folder: Path, name: str) -> Path:
    known = {path.stem: path for path in folder.glob("*.md")}
    if name not in known:
        raise ValueError(f"no document {name!r}; there are {', '.join(sorted(known))}")
    return known[name]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    given = parser.parse_args()
    server = library(given.folder)
    server.run("streamable-http", host=given.host, port=given.port, stateless_http=True)


if __name__ == "__main__":
    main()
