"""Loads a module whose imports, or whose models, are made when they are used."""

import builtins
import importlib
from collections.abc import Mapping, Sequence
from importlib.machinery import SourceFileLoader
from importlib.util import resolve_name
from types import ModuleType
from typing import Any


class _Late:
    """Stands for a class or function of another module, which is loaded when it is called, or when
    an object may be an instance of it."""

    def __init__(self, module: str, name: str) -> None:
        self._module = module
        self._name = name

    def _loaded(self) -> Any:
        return getattr(importlib.import_module(self._module), self._name)

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        return self._loaded()(*arguments, **named)

    def __instancecheck__(self, instance: object) -> bool:
        named = any(each.__name__ == self._name for each in type(instance).__mro__)
        return named and isinstance(instance, self._loaded())

    def __or__(self, other: Any) -> "_Either":
        return _Either(self, other)

    __ror__ = __or__


class _Either:
    """Classes of which some are late, as by `|`."""

    def __init__(self, *classes: Any) -> None:
        self._classes = classes

    def __instancecheck__(self, instance: object) -> bool:
        return isinstance(instance, self._classes)

    def __or__(self, other: Any) -> "_Either":
        return _Either(*self._classes, other)

    __ror__ = __or__


class _WithLate:
    """What `from module import ...` takes its names from, of which some are late."""

    def __init__(self, module: str, late: Sequence[str], others: object) -> None:
        self._module = module
        self._late = late
        self._others = others

    def __getattr__(self, name: str) -> object:
        return _Late(self._module, name) if name in self._late else getattr(self._others, name)


class LateLoader(SourceFileLoader):
    """Runs a module. `late`: by the module that it imports from, the names that are imported when
    they are used; ("*",) for all of them."""

    def __init__(self, name: str, path: str, late: Mapping[str, Sequence[str]]) -> None:
        super().__init__(name, path)
        self._late = late

    def exec_module(self, module: ModuleType) -> None:
        """Run it; what is late is imported when it is used."""
        late, names = self._late, module.__dict__

        def load(
            name: str,
            globals: Mapping[str, object] | None = None,
            locals: Mapping[str, object] | None = None,
            fromlist: Sequence[str] | None = (),
            level: int = 0,
        ) -> object:
            package = module.__spec__.parent if module.__spec__ else None
            whole = resolve_name("." * level + name, package)
            names_late = late.get(whole, ())
            found = [each for each in fromlist or () if each in names_late or "*" in names_late]
            others = [each for each in fromlist or () if each not in found]
            if not found:
                return builtins.__import__(name, globals, locals, others, level)
            module_ = builtins.__import__(name, globals, locals, others, level) if others else None
            return _WithLate(whole, found, module_)

        names["__builtins__"] = {**vars(builtins), "__import__": load}
        super().exec_module(module)
        names["__builtins__"] = vars(builtins)


class DeferredLoader(SourceFileLoader):
    """Runs a module that declares models of pydantic."""

    def exec_module(self, module: ModuleType) -> None:
        """Run it; the models that it declares are built when they are used."""
        from pydantic._internal import _config

        before = _config.config_defaults["defer_build"]
        _config.config_defaults["defer_build"] = True
        try:
            super().exec_module(module)
        finally:
            _config.config_defaults["defer_build"] = before
