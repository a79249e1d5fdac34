"""The run that is shown: its manifest, made from this repository's own history."""

from __future__ import annotations

import importlib.util
from datetime import datetime
from types import ModuleType

from e2e.cluster.settings import REPOSITORY

FOLDER = REPOSITORY / "examples" / "release-notes"


def run_name(now: datetime) -> str:
    """A separate name for every demo: release-notes-1123-034205."""
    return f"release-notes-{now:%m%d-%H%M%S}"


def template() -> str:
    """The workflow as the example has it."""
    return (FOLDER / "workflow.yaml").read_text(encoding="utf-8")


def script() -> str:
    """What the scripted model server answers."""
    return (FOLDER / "model-script.yaml").read_text(encoding="utf-8")


def manifest(template: str, name: str) -> tuple[str, str]:
    """The manifest as YAML, and a sentence on what went in.

    A source archive without history still has the example's own sample.
    """
    maker = _make_input()
    try:
        inputs = maker.read_history(REPOSITORY)
    except maker.InputError:
        return maker.rename(template, name), "no git history here: the example's own sample goes in"
    inputs["repository"] = "waypost"
    filled: str = maker.fill(template, inputs=inputs, name=name)
    return filled, f"the last {len(inputs['commits'])} commits of this repository go in"


def _make_input() -> ModuleType:
    """examples/ is for users and no package: its script is loaded by its path."""
    spec = importlib.util.spec_from_file_location("make_input", FOLDER / "make_input.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
