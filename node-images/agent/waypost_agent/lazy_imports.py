"""Packages whose re-exports are imported when they are used: what PEP 810 brings to Python 3.15.

The providers' libraries re-export hundreds of modules, one for each type of their API, and a
conversation needs a tenth of them. Importing the others would be a quarter of an agent's start.
"""

import builtins
import importlib
import sys
from collections.abc import Mapping, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from importlib.util import find_spec, resolve_name
from types import ModuleType
from typing import Any, Final, NamedTuple

PACKAGES: Final = ("openai.types", "anthropic.types", "anthropic.resources")


def install() -> None:
    """From now on PACKAGES, and the packages in them, import their parts when they are used."""
    if not any(isinstance(each, _Finder) for each in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


class _Finder(MetaPathFinder):
    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """What the import system asks for a module that is not loaded yet."""
        if not any(f"{name}.".startswith(f"{package}.") for package in PACKAGES):
            return None
        spec = PathFinder.find_spec(name, path, target)
        package = spec is not None and spec.submodule_search_locations is not None
        if spec is not None and package and isinstance(spec.loader, SourceFileLoader):
            spec.loader = _Loader(name, spec.loader.path)
        return spec


class _Export(NamedTuple):
    """Stands for a name of another module until it is used."""

    module: str
    name: str

    def load(self, package: str) -> object:
        """What it stands for."""
        if self.module != package:
            module = importlib.import_module(self.module)
            if hasattr(module, self.name):
                return getattr(module, self.name)
        return importlib.import_module(f"{self.module}.{self.name}")


class _Exports:
    """What `from module import ...` takes its names from."""

    def __init__(self, module: str) -> None:
        self._module = module

    def __getattr__(self, name: str) -> _Export:
        return _Export(self._module, name)


class _Loader(SourceFileLoader):
    """Runs a package's `__init__` without its `from .module import name`."""

    def exec_module(self, module: ModuleType) -> None:
        """Run it; what it re-exports is imported when asked for."""
        names = module.__dict__
        running = True

        def load(
            name: str,
            globals: Mapping[str, object] | None = None,
            locals: Mapping[str, object] | None = None,
            fromlist: Sequence[str] | None = (),
            level: int = 0,
        ) -> object:
            # Functions keep the builtins that they were defined with: they get what they ask for.
            lazy = running and level and fromlist and "*" not in fromlist
            if not lazy:
                return builtins.__import__(name, globals, locals, fromlist or (), level)
            return _Exports(resolve_name("." * level + name, module.__name__))

        names["__builtins__"] = {**vars(builtins), "__import__": load}
        super().exec_module(module)
        names["__builtins__"] = vars(builtins)
        running = False
        _export(module, {key: each for key, each in names.items() if isinstance(each, _Export)})


def _export(module: ModuleType, exports: dict[str, _Export]) -> None:
    names, package = module.__dict__, module.__name__

    def get(name: str) -> object:
        if name in exports:
            names[name] = exports[name].load(package)
            return names[name]
        # A program that imports everything has the package's modules as its attributes too.
        if not name.startswith("_") and find_spec(f"{package}.{name}"):
            return importlib.import_module(f"{package}.{name}")
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    for name in exports:
        del names[name]
    names.setdefault("__all__", [each for each in (*names, *exports) if not each.startswith("_")])
    hidden: dict[str, Any] = {
        "__getattr__": get,
        "__dir__": lambda: sorted({*names, *exports}),
    }
    names.update(hidden)
    for name, each in exports.items():
        # A submodule of the same name would take its place as soon as it is imported.
        if each.module.rpartition(".")[2] == name:
            get(name)
