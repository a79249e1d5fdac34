"""The release-notes workflow with the history of a repository as its inputs.

    python3 examples/release-notes/make_input.py | kubectl apply -f -

Needs Python and git alone. At most 200 commits go in, newest first, with their subject cut at 100
characters: the inputs of a run are bounded, and so is what a release note can use.
"""

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

WORKFLOW = Path(__file__).with_name("workflow.yaml")
MAX_COMMITS = 200
MAX_SUBJECT = 100


class InputError(Exception):
    """The history cannot be read. The message says what git said."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the manifest; 1 with an explanation when there is no history."""
    options = _parser().parse_args(arguments)
    try:
        inputs = read_history(options.repository, limit=options.limit, version=options.version)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    template = WORKFLOW.read_text(encoding="utf-8")
    sys.stdout.write(fill(template, inputs=inputs, name=options.name))
    return 0


def read_history(
    repository: Path, *, limit: int = MAX_COMMITS, version: str = ""
) -> dict[str, object]:
    """The run's inputs: name of the repository, version, commits newest first."""
    count = max(1, min(limit, MAX_COMMITS))
    log = _git(repository, "log", f"-n{count}", "--format=%H%x1f%s%x1e")
    commits = [parse(record) for record in log.split("\x1e") if record.strip()]
    top = Path(_git(repository, "rev-parse", "--show-toplevel").strip()).resolve().name
    described = version or _git(repository, "describe", "--tags", "--always").strip()
    return {"repository": top[:100] or "repository", "version": described[:40], "commits": commits}


def parse(record: str) -> dict[str, str]:
    """One commit of `git log`, safe to be shown anywhere: one line, no control characters."""
    sha, _, subject = record.strip().partition("\x1f")
    shown = "".join(c if c.isprintable() else " " for c in subject).strip()
    return {"sha": sha[:7], "subject": shown[:MAX_SUBJECT]}


def fill(template: str, *, inputs: dict[str, object], name: str = "") -> str:
    """The manifest with its block `  inputs:` replaced. JSON is YAML, so no parser is needed."""
    block = json.dumps(inputs, ensure_ascii=False, indent=2).replace("\n", "\n  ")
    pattern = re.compile(r"^  inputs:\n(?:(?: {4}.*)?\n)+", re.MULTILINE)
    # A function: in a replacement text, backslashes of the history would be read as groups.
    filled, found = pattern.subn(lambda _: f"  inputs: {block}\n", template, count=1)
    if found != 1:
        raise ValueError("the workflow has no block `  inputs:` to replace")
    return rename(filled, name) if name else filled


def rename(template: str, name: str) -> str:
    """The manifest as a run of another name."""
    return re.sub(r"^  name: .*$", f"  name: {name}", template, count=1, flags=re.MULTILINE)


def _git(repository: Path, *arguments: str) -> str:
    command = ["git", "-C", str(repository), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, check=True)
    except FileNotFoundError as error:
        raise InputError("git is not installed") from error
    except subprocess.CalledProcessError as error:
        said = error.stderr.decode(errors="replace").strip()
        raise InputError(f"{' '.join(command)}: {said}") from error
    return done.stdout.decode(errors="replace")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("repository", nargs="?", type=Path, default=Path(), help="default: .")
    parser.add_argument("--limit", type=int, default=MAX_COMMITS, help="commits, at most 200")
    parser.add_argument("--version", default="", help="default: git describe")
    parser.add_argument("--name", default="", help="name of the run, default: release-notes")
    return parser


if __name__ == "__main__":
    sys.exit(main())
