"""Each seeded bug can be planted: what it replaces is still there, and is called in the same way.

Hunting shows that too, minutes later. This names within a second a bug whose target was renamed, or
has other parameters.
"""

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests import simulation
from tests.simulation.focused.hunting import Bugs
from tests.simulation.seeded.bugs import BUGS

Plant = Callable[[pytest.MonkeyPatch], None]


def _of_features() -> Iterator[tuple[str, Plant]]:
    for package in pkgutil.iter_modules(simulation.__path__):
        if not package.ispkg:
            continue
        module = f"{simulation.__name__}.{package.name}"
        folder = importlib.import_module(module)
        if any(
            one.name == "seeded" and not one.ispkg for one in pkgutil.iter_modules(folder.__path__)
        ):
            bugs: Bugs[Any] = importlib.import_module(f"{module}.seeded").bug
            yield from ((f"{package.name}-{bug.name}", bug.plant) for bug in bugs.all)


PLANTS = [*((f"main-{bug.name}", bug.plant) for bug in BUGS), *_of_features()]


@pytest.mark.parametrize("plant", [plant for _, plant in PLANTS], ids=[name for name, _ in PLANTS])
def test_a_seeded_bug_can_be_planted(plant: Plant) -> None:
    with pytest.MonkeyPatch.context() as patch:
        plant(patch)


@pytest.mark.parametrize("plant", [plant for _, plant in PLANTS], ids=[name for name, _ in PLANTS])
def test_a_seeded_bug_takes_the_arguments_of_what_it_replaces(plant: Plant) -> None:
    with pytest.MonkeyPatch.context() as patch:
        recorded: Any = Recorded(patch)
        plant(recorded)
    wrong = [name for name, old, new in recorded.replaced if not takes(new, old)]
    assert wrong == [], "called with arguments that it does not take, it is caught for nothing"


class Recorded:
    """A MonkeyPatch that notes which functions are replaced by which."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.replaced: list[tuple[str, Any, Any]] = []
        self._patch = patch

    def __getattr__(self, name: str) -> Any:
        return getattr(self._patch, name)

    def setattr(self, target: Any, name: Any, *value: Any, **options: Any) -> None:
        if value and inspect.isfunction(value[0]):
            old = inspect.getattr_static(target, name, None)
            if inspect.isfunction(old):
                self.replaced.append((name, old, value[0]))
        self._patch.setattr(target, name, *value, **options)


def takes(new: Callable[..., Any], old: Callable[..., Any]) -> bool:
    """Whether a function can be called with all parameters of another one."""
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    parameters = inspect.signature(old).parameters.values()
    first = [None for one in parameters if one.kind in positional]
    named = {one.name: None for one in parameters if one.kind is inspect.Parameter.KEYWORD_ONLY}
    try:
        inspect.signature(new).bind(*first, **named)
    except TypeError:
        return False
    return True


@pytest.mark.parametrize(
    ("new", "fits"),
    [
        pytest.param(lambda a, b, *, c: None, True, id="alike"),
        pytest.param(lambda *of, **by: None, True, id="anything"),
        pytest.param(lambda a, *, c: None, False, id="too-few"),
        pytest.param(lambda a, b: None, False, id="without-a-name"),
    ],
)
def test_what_takes_the_arguments(new: Callable[..., Any], fits: bool) -> None:
    def old(a: int, b: int = 2, *, c: int = 3) -> None:
        """Is replaced."""

    assert takes(new, old) is fits


def test_the_bugs_of_every_feature_are_among_them() -> None:
    features = {name.split("-")[0] for name, _ in PLANTS}
    assert len(features) >= 12, f"a folder of bugs is not found any more: {sorted(features)}"
