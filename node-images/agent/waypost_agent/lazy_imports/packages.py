"""Loads a package without what its `__init__` re-exports."""

import builtins
import importlib
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from contextlib import suppress
from importlib.machinery import SourceFileLoader
from importlib.util import find_spec, resolve_name
from types import ModuleType
from typing import Any


class _Export:
    """Stands for a name of another module until it is used."""

    def __init__(self, module: str, name: str) -> None:
        self.module = module
        self.name = name
        self.attributes: dict[str, Any] = {}  # that the package set, for when it is loaded

    def load(self, package: str) -> object:
        """What it stands for."""
        found = self._found(package)
        for name, value in self.attributes.items():
            with suppress(AttributeError, TypeError):  # as for a constant, which has none
                setattr(found, name, value)
        return found

    def _found(self, package: str) -> object:
        if self.module != package:
            module = importlib.import_module(self.module)
            if hasattr(module, self.name):
                return getattr(module, self.name)
        return importlib.import_module(f"{self.module}.{self.name}")


class _Exports:
    """What `from module import ...` takes its names from."""

    def __init__(self, module: str, names: Sequence[str] = ()) -> None:
        self._module = module
        if names:
            self.__all__ = names

    def __getattr__(self, name: str) -> _Export:
        if name == "__all__":  # the package has none
            raise AttributeError(name)
        return _Export(self._module, name)


class _Local:
    """A name of a package as its `locals()` has it: what is set of it is set when it is loaded."""

    _export: _Export

    def __init__(self, export: _Export) -> None:
        object.__setattr__(self, "_export", export)

    def __setattr__(self, name: str, value: object) -> None:
        self._export.attributes[name] = value


class _Names(MutableMapping[str, Any]):
    """The names of a package while its `__init__` runs: what it re-exports is loaded where it is
    read, as by PEP 810."""

    def __init__(self, names: dict[str, Any], package: str) -> None:
        self.exports: dict[str, _Export] = {}
        self._names = names
        self._package = package

    def __getitem__(self, name: str) -> Any:
        if name in self.exports:
            # In this order: another thread finds it in one of them.
            self._names[name] = self.exports[name].load(self._package)
            self.exports.pop(name, None)
        return self._names[name]

    def __setitem__(self, name: str, value: object) -> None:
        self.exports.pop(name, None)
        self._names.pop(name, None)
        into: dict[str, Any] = self.exports if isinstance(value, _Export) else self._names
        into[name] = value

    def __delitem__(self, name: str) -> None:
        del (self.exports if name in self.exports else self._names)[name]

    def __iter__(self) -> Iterator[str]:
        return iter([*self._names, *self.exports])

    def __len__(self) -> int:
        return len(self._names) + len(self.exports)

    def as_locals(self) -> dict[str, Any]:
        """What `locals()` is in the package: nothing is loaded by reading it."""
        later = {name: _Local(export) for name, export in self.exports.items()}
        return {**self._names, **later}


class _Builtins(dict[str, Any]):
    """The builtins of a package: what is no name of it, and none of Python, may be an export."""

    exports: Mapping[str, Any]

    def __missing__(self, name: str) -> Any:
        return self.exports[name]


class PackageLoader(SourceFileLoader):
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
            if not (running and level and fromlist):
                return builtins.__import__(name, globals, locals, fromlist or (), level)
            whole = resolve_name("." * level + name, module.__name__)
            if "*" not in fromlist:
                return _Exports(whole)
            found = importlib.import_module(whole)
            lazy = isinstance(found.__loader__, PackageLoader)
            return _Exports(whole, found.__all__) if lazy else found

        seen = _Names(names, module.__name__)
        own = {"__import__": load, "locals": seen.as_locals}
        names["__builtins__"] = _Builtins({**vars(builtins), **own})
        names["__builtins__"].exports = seen
        code = self.get_code(module.__name__)
        assert code is not None, module.__name__
        exec(code, names, seen)
        names["__builtins__"] = vars(builtins)
        running = False
        _export(module, seen)


def _export(module: ModuleType, seen: _Names) -> None:
    names, package = module.__dict__, module.__name__

    def get(name: str) -> object:
        with suppress(KeyError):
            return seen[name]
        # A program that imports everything has the package's modules as its attributes too.
        if not name.startswith("_") and find_spec(f"{package}.{name}"):
            return importlib.import_module(f"{package}.{name}")
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    names.setdefault("__all__", [each for each in seen if not each.startswith("_")])
    hidden: dict[str, Any] = {
        "__getattr__": get,
        "__dir__": lambda: sorted(seen),
    }
    names.update(hidden)
    for name, each in list(seen.exports.items()):
        # A submodule of the same name would take its place as soon as it is imported.
        if each.module.rpartition(".")[2] == name:
            get(name)
