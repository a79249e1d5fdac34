"""A run whose node `check` runs a template as a child run, and what can be seen of the child."""

from typing import Any, Final

from waypost.kube.objects import section
from waypost.ports.cluster import Kind, Obj

from tests.support.builders import python, spec
from tests.support.harness import RUN, World
from tests.support.templates import REVIEW

CHILD: Final = "waypost.dev/child"


def calls(name: str, template: str = REVIEW, **fields: Any) -> Obj:
    """A node that runs a template as a child run."""
    return {"name": name, "workflow": {"templateRef": {"name": template}}, **fields}


def calls_local(name: str, template: str, **fields: Any) -> Obj:
    """A node that runs a local template as a child run."""
    return {"name": name, "workflow": {"template": template}, **fields}


PARENT: Final = spec(
    calls("check", inputs={"n": "${inputs.n}"}),
    outputs={"got": "${nodes.check.output.double}"},
    inputs={"n": 4},
)
DOUBLE: Final = spec(
    python("twice", inputs={"n": "${inputs.n}"}),
    inputSchema={"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}}},
    outputs={"double": "${nodes.twice.output}"},
)


def children(world: World, parent: str = RUN) -> list[Obj]:
    """The child runs of a run, oldest first."""
    found = [r for r in world.all(Kind.AGENT_WORKFLOW) if _parent(r) == parent]
    return sorted(found, key=lambda run: int(run["metadata"]["resourceVersion"]))


def _parent(run: Obj) -> str:
    return str(section(run, "spec", "parent").get("run", ""))


def child(world: World, parent: str = RUN) -> Obj:
    """The only child run of a run; empty if there is none."""
    found = children(world, parent)
    assert len(found) < 2, [run["metadata"]["name"] for run in found]
    return found[0] if found else {}


async def patch_child(world: World, changes: Obj, parent: str = RUN) -> None:
    """A person changes the spec of the child run."""
    name = child(world, parent)["metadata"]["name"]
    await world.patch_run(changes, name=name)


async def child_runs(world: World, parent: str = RUN) -> None:
    """Wait until a program of the child run runs."""
    await world.until(
        lambda: section(child(world, parent), "status").get("phase") == "Running", "the child runs"
    )


def ran(world: World) -> list[str]:
    """The paths of the programs that have run, in order."""
    return [execution.path for execution in world.ledger.executions]
