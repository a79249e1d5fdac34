"""Sources of the workflow (`spec.modules`) that a node's code can import by name."""

import sys
from _frozen_importlib import ModuleSpec
from collections.abc import Mapping
from types import ModuleType
from typing import Any, Final

OWN: Final = frozenset({"node", "waypost", "waypost_agent", "waypost_node"})


class BadName(Exception):
    """A module whose name is taken: code that imports it would get another one."""


class Source:
    """A loader that knows the source: tracebacks, warnings and inspect show its lines."""

    def __init__(self, text: str, *, filename: str) -> None:
        self._text = text
        self._filename = filename

    def get_source(self, _name: str) -> str:
        """The text."""
        return self._text

    def create_module(self, _spec: ModuleSpec) -> None:
        """None: an ordinary module."""

    def exec_module(self, module: ModuleType) -> None:
        """Run the source in `module`."""
        module.__file__ = self._filename
        exec(compile(self._text, self._filename, "exec"), module.__dict__)


class _Finder:
    def __init__(self, sources: Mapping[str, str]) -> None:
        self._sources = sources

    def find_spec(
        self, name: str, _path: object = None, _target: object = None
    ) -> ModuleSpec | None:
        """What the import system asks for a module that is not loaded yet."""
        text = self._sources.get(name)
        if text is None:
            return None
        filename = f"{name}.py"
        loader: Any = Source(text, filename=filename)
        spec = ModuleSpec(name, loader, origin=filename)
        spec.has_location = True
        return spec


def provide(sources: Mapping[str, str]) -> None:
    """Make `sources` importable, before modules of the same name that the image has.

    Raises BadName for a name of the standard library or of Waypost.
    """
    for name in sources:
        if name in OWN or name in sys.stdlib_module_names:
            whose = "Waypost" if name in OWN else "Python's standard library"
            raise BadName(f"spec.modules.{name}: {whose} has a module of this name; rename it")
    # First, so that a workflow says the same in every image.
    sys.meta_path.insert(0, _Finder(sources))
