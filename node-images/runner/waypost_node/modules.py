"""Makes the modules of a workflow (`spec.modules`) importable for a node's code."""

import sys
from _frozen_importlib import ModuleSpec
from collections.abc import Mapping
from types import ModuleType
from typing import Any, Final

OWN: Final = frozenset({"node", "waypost", "waypost_agent", "waypost_node"})


class BadName(Exception):
    """A module name that is already used: an import would load the other module."""


class Source:
    """A loader with the source text, so that tracebacks, warnings and inspect show its lines."""

    def __init__(self, text: str, *, filename: str) -> None:
        self._text = text
        self._filename = filename

    def get_source(self, _name: str) -> str:
        """The source text."""
        return self._text

    def create_module(self, _spec: ModuleSpec) -> None:
        """None: create an ordinary module."""

    def exec_module(self, module: ModuleType) -> None:
        """Execute the source in `module`."""
        module.__file__ = self._filename
        exec(compile(self._text, self._filename, "exec"), module.__dict__)


class _Finder:
    def __init__(self, sources: Mapping[str, str]) -> None:
        self._sources = sources

    def find_spec(
        self, name: str, _path: object = None, _target: object = None
    ) -> ModuleSpec | None:
        """Called by the import system for a module that is not loaded yet."""
        text = self._sources.get(name)
        if text is None:
            return None
        filename = f"{name}.py"
        loader: Any = Source(text, filename=filename)
        spec = ModuleSpec(name, loader, origin=filename)
        spec.has_location = True
        return spec


def provide(sources: Mapping[str, str]) -> None:
    """Make `sources` (text by module name) importable, before modules of the image.

    Raises:
        BadName: the standard library or Waypost has a module of this name.
    """
    for name in sources:
        if name in OWN or name in sys.stdlib_module_names:
            whose = "Waypost" if name in OWN else "Python's standard library"
            raise BadName(f"spec.modules.{name}: {whose} has a module of this name; rename it")
    # First, so that a workflow behaves the same in every image.
    sys.meta_path.insert(0, _Finder(sources))
