"""Each seeded bug can be planted: what it replaces is still there.

Hunting shows that too, minutes later. This names within a second a bug whose target was renamed.
"""

import importlib
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


def test_the_bugs_of_every_feature_are_among_them() -> None:
    features = {name.split("-")[0] for name, _ in PLANTS}
    assert len(features) >= 12, f"a folder of bugs is not found any more: {sorted(features)}"
