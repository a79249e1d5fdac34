"""Pages of the examples: each with its files, and a list of them."""

from itertools import takewhile
from pathlib import Path
from typing import Final

_LANGUAGES: Final = {".yaml": "yaml", ".py": "python", ".md": "markdown", ".sh": "bash"}
_FENCE: Final = "````"  # longer than those inside the files


def example_page(folder: Path) -> str:
    """The page of an example: its README, if it has one, and its files."""
    readme = folder / "README.md"
    text = readme.read_text(encoding="utf-8") if readme.is_file() else f"# {folder.name}\n"
    parts = [text.rstrip("\n")]
    for path in sorted(each for each in folder.rglob("*") if each.suffix in _LANGUAGES):
        if path != readme and "__pycache__" not in path.parts:
            content = path.read_text(encoding="utf-8").rstrip("\n")
            name = path.relative_to(folder).as_posix()
            parts.append(f"## {name}\n\n{_FENCE}{_LANGUAGES[path.suffix]}\n{content}\n{_FENCE}")
    return "\n\n".join(parts) + "\n"


def example_list(folders: list[Path]) -> str:
    """The page that lists the examples, with the first comment of each workflow."""
    rows = "\n".join(f"| [{each.name}]({each.name}.md) | {_purpose(each)} |" for each in folders)
    return f"# Examples\n\nEach example runs as a test.\n\n| example | shows |\n|---|---|\n{rows}\n"


def _purpose(folder: Path) -> str:
    """The first paragraph of the comment at the top of the first manifest, as one line."""
    manifests = [folder / "workflow.yaml", *sorted(folder.glob("*.yaml"))]
    first = next(path for path in manifests if path.is_file())
    comment = takewhile(_is_prose, first.read_text(encoding="utf-8").splitlines())
    return " ".join(line.removeprefix("# ") for line in comment).replace("|", "\\|")


def _is_prose(line: str) -> bool:
    """Whether a line is text of a comment: not blank, and not an indented command."""
    return line.startswith("# ") and not line.startswith("#  ")
