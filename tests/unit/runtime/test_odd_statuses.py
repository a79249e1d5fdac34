"""Statuses that the API server takes and that no operator writes: an edit, a restored backup,
another release. The run ends, its neighbour too, and a cancel works."""

from collections.abc import Callable
from typing import Any

import pytest
from waypost.ports.cluster import Kind, PatchType

from tests.support.builders import python, spec
from tests.support.harness import NAMESPACE, RUN, World, gives
from tests.support.virtual import virtual

Edit = Callable[[Any], Any]
LAST, FIRST = "9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z"
GHOST = {"path": "ghost", "phase": "Running"}


def node(status: Any) -> Any:
    return status["nodes"][0]


def attempt(status: Any) -> Any:
    return node(status)["attempts"][0]


@pytest.mark.parametrize("cancel", [False, True], ids=["ends", "cancelled"])
@pytest.mark.parametrize(
    "edit",
    [
        pytest.param(lambda s: s["nodes"].append({**GHOST}), id="a-node-of-nobody"),
        pytest.param(
            lambda s: s["nodes"].append({**GHOST, "phase": "Waiting", "approval": "x"}),
            id="a-gate-of-nobody",
        ),
        pytest.param(
            lambda s: s["nodes"].append({**GHOST, "phase": "Failed"}), id="a-failure-of-nobody"
        ),
        pytest.param(
            lambda s: s["nodes"].append({"path": "a/3", "phase": "Running"}),
            id="an-item-of-no-map",
        ),
        pytest.param(
            lambda s: s["nodes"].append({"path": "a/compensate", "phase": "Pending"}),
            id="a-compensation-of-nobody",
        ),
        pytest.param(lambda s: node(s)["attempts"].append(dict(attempt(s))), id="an-attempt-twice"),
        pytest.param(lambda s: node(s).pop("attempts"), id="no-attempts"),
        pytest.param(lambda s: attempt(s).update(launchedAt=FIRST), id="launched-in-year-1"),
        pytest.param(lambda s: attempt(s).update(launchedAt=LAST), id="launched-in-year-9999"),
        pytest.param(lambda s: node(s).update(deadlineAt=LAST), id="a-deadline-in-year-9999"),
        pytest.param(lambda s: attempt(s).update(job="../../etc"), id="no-name-of-a-job"),
        pytest.param(lambda s: s.update(round=2**40), id="a-round-far-ahead"),
        pytest.param(lambda s: s.clear(), id="nothing"),
        pytest.param(lambda s: s.update(conditions=None), id="no-conditions"),
        pytest.param(lambda s: node(s).update(message="a\x00b"), id="a-nul"),
        pytest.param(lambda s: node(s).update(retries=10**6), id="a-million-retries"),
    ],
)
@virtual
async def test_s523_a_status_of_others_does_not_stop_a_run(edit: Edit, cancel: bool) -> None:
    async with World(script={"a": [gives(1, seconds=60)]}) as world:
        world.start()
        await world.submit(spec(python("a"), python("b", inputs={"v": "${nodes.a.output}"})))
        await world.submit(spec(python("a")), name="other")
        await world.until(lambda: world.node("a").get("phase") == "Running", "runs", within=30)
        await world.quiet(5)
        status = world.status()
        edit(status)
        await world.user.patch(
            Kind.AGENT_WORKFLOW,
            namespace=NAMESPACE,
            name=RUN,
            body=[{"op": "replace", "path": "/status", "value": status}],
            patch_type=PatchType.JSON,
            subresource="status",
        )
        if cancel:
            await world.patch_run({"cancel": True})
        ended = await world.finished(within=400)
        assert ended["phase"] == ("Cancelled" if cancel else "Succeeded")
        assert not world.condition("SetAside")
        ghosts = [n for n in ended["nodes"] if n["path"] not in ("a", "b")]
        assert all(n["phase"] in ("Cancelled", "Failed") for n in ghosts), "kept, and ended"
        assert (await world.finished("other", within=400))["phase"] == "Succeeded"
