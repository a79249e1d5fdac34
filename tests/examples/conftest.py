"""Every manifest that users are shown: the files of examples/ and the YAML blocks of the docs."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support import documents as reading

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
_BLOCK = re.compile(r"^```yaml\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Shown:
    """One manifest and where it stands."""

    place: str
    manifest: dict[str, Any]


def shown() -> list[Any]:
    """All AgentWorkflows of examples and documents, as parameters."""
    found = [*_files(), *_blocks()]
    ours = [s for s in found if str(s.manifest.get("apiVersion", "")).startswith("waypost.dev/")]
    return [pytest.param(s, id=s.place) for s in ours]


def documents() -> list[Path]:
    """What people read."""
    return [
        *sorted(ROOT.glob("*.md")),
        *sorted(ROOT.glob("docs/*.md")),
        *ROOT.glob("charts/*/*.md"),
    ]


def _files() -> Iterator[Shown]:
    for path in sorted(EXAMPLES.glob("*/*.yaml")):
        for manifest in reading.documents(path.read_text(encoding="utf-8")):
            yield Shown(str(path.relative_to(ROOT)), manifest)


def _blocks() -> Iterator[Shown]:
    for path in documents():
        for number, block in enumerate(_BLOCK.findall(path.read_text(encoding="utf-8")), start=1):
            manifest = reading.document(block)  # a block that is not YAML is no example
            if isinstance(manifest, dict):
                yield Shown(f"{path.relative_to(ROOT)}#{number}", manifest)
