"""The shape of the product: folders that can be read at a glance, and short chains of imports."""

import ast
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[2]
PRODUCT: Final = ("operator/waypost", "node-images/runner/waypost_node", "node-images/agent")
MOST_FILES: Final = 16
LONGEST_CHAIN: Final = 10


def _modules() -> dict[str, Path]:
    """Every module of the operator by its dotted name."""
    found = {}
    for path in (ROOT / "operator/waypost").rglob("*.py"):
        name = ".".join(path.relative_to(ROOT / "operator").with_suffix("").parts)
        found[name.removesuffix(".__init__")] = path
    return found


MODULES: Final = _modules()


def imports_of(module: str, package: str) -> set[str]:
    """The modules of `package` that a module imports, `if TYPE_CHECKING` included."""
    found = set()
    for node in ast.walk(ast.parse(MODULES[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                found.add(name if name in MODULES else node.module)
    return {name for name in found if name.startswith(package)} - {module}


def chain(package: str) -> list[str]:
    """The longest chain of imports inside a package. Fails on a cycle."""
    under_way: list[str] = []

    @cache
    def longest(module: str) -> tuple[str, ...]:
        assert module not in under_way, f"a cycle: {[*under_way, module]}"
        under_way.append(module)
        below: tuple[str, ...] = ()
        for name in imports_of(module, package):
            other = longest(name)
            below = other if len(other) > len(below) else below
        under_way.pop()
        return (module, *below)

    found = [longest(name) for name in MODULES if name.startswith(package)]
    return list(sorted(found, key=len)[-1])


def test_chains_of_imports_in_the_engine_are_short() -> None:
    found = chain("waypost.engine")
    assert len(found) <= LONGEST_CHAIN, " > ".join(found)


@pytest.mark.parametrize("package", ["expressions", "kube", "compiler", "runtime", "gateway"])
def test_no_package_imports_in_a_circle(package: str) -> None:
    assert chain(f"waypost.{package}")


@pytest.mark.parametrize("folder", PRODUCT)
def test_a_folder_holds_few_files(folder: str) -> None:
    counts = Counter(path.parent for path in (ROOT / folder).rglob("*.py"))
    full = {str(path.relative_to(ROOT)): n for path, n in counts.items() if n > MOST_FILES}
    assert full == {}
