"""Children that cannot be created (K1) within each construct: the run says why within a minute, a
cancel ends it, and a refusal that ends is forgotten. The names of the rows are those of the kinds
that each construct creates; `test_every_kind_of_child_is_in_the_table` holds the table to them."""

from collections.abc import Awaitable, Callable
from typing import Any, Final

import pytest
from waypost.ports.cluster import ClusterError, Kind, Obj, QuotaExceeded, RefusedForNow, Rejected

from tests.support.builders import gate, python, spec
from tests.support.children import calls
from tests.support.harness import Call, World, fails, gives
from tests.support.refusals import Refusal
from tests.support.templates import RUN_OF, create_template
from tests.support.virtual import virtual
from tests.unit.runtime.passes.test_refusals_of_each_kind import PODS

QUOTA: Final = QuotaExceeded("exceeded quota: team, requested: count/things=1", code=403)
WEBHOOK: Final = RefusedForNow("failed calling webhook policy.example.com: refused", code=500)
DENIED: Final = Rejected("admission webhook policy.example.com denied it: no owner", code=403)
ERRORS: Final = [
    pytest.param(QUOTA, id="quota"),
    pytest.param(WEBHOOK, id="webhook"),
    pytest.param(DENIED, id="denied"),
]
UNDO: Final[Obj] = {"python": {"source": "def run(): ..."}}
LOCAL: Final[Obj] = {"name": "local", "nodes": [python("x")]}
CLAIM: Final[Obj] = {"name": "w", "mountPath": "/w", "volumeClaim": "work"}
CONSTRUCTS: Final[dict[str, tuple[Obj, set[Kind]]]] = {
    "node": (spec(python("odd", inputs={"text": "x" * 9000})), {Kind.JOB, Kind.CONFIG_MAP}),
    "isolated": (
        spec(python("odd", isolation={"egress": "None"})),
        {Kind.JOB, Kind.NETWORK_POLICY},
    ),
    "claim": (
        spec(
            python("odd", isolation={"volumes": [CLAIM]}),
            volumeClaims=[{"name": "work", "storage": "1Gi"}],
        ),
        {Kind.JOB, Kind.CLAIM},
    ),
    "slot": (
        spec(python("odd", concurrency={"key": "crm", "limit": 1})),
        {Kind.JOB, Kind.LEASE},
    ),
    "slot-of-run": (
        spec(python("odd"), concurrency={"key": "crm", "limit": 1}),
        {Kind.JOB, Kind.LEASE},
    ),
    "map": (spec(python("odd", forEach={"items": "${[1, 2, 3]}"})), {Kind.JOB, Kind.NODE_RECORD}),
    "map-of-gates": (
        spec(gate("odd", forEach={"items": "${[1, 2, 3]}"})),
        {Kind.APPROVAL, Kind.NODE_RECORD},
    ),
    "loop": (
        spec(python("odd", repeat={"max": 3, "until": "${self.output == 5}"})),
        {Kind.JOB, Kind.NODE_RECORD},
    ),
    "template": (RUN_OF, {Kind.JOB, Kind.NODE_RECORD}),
    "child": (spec(calls("odd")), {Kind.JOB, Kind.NODE_RECORD, Kind.AGENT_WORKFLOW}),
    "child-of-local-template": (
        spec({"name": "odd", "workflow": {"template": "local"}}, templates=[LOCAL]),
        {Kind.JOB, Kind.NODE_RECORD, Kind.AGENT_WORKFLOW},
    ),
    "children-of-items": (
        spec(calls("odd", forEach={"items": "${[1, 2]}"})),
        {Kind.JOB, Kind.NODE_RECORD, Kind.AGENT_WORKFLOW},
    ),
    "compensation": (
        spec(python("odd", compensate=UNDO), python("last", dependsOn=["odd"])),
        {Kind.JOB},
    ),
    "finally": (spec(python("last"), **{"finally": [python("odd")]}), {Kind.JOB}),
}
TABLE: Final = [
    pytest.param(construct, kind, id=f"{construct}-{kind.value.kind}")
    for construct, (_, kinds) in CONSTRUCTS.items()
    for kind in sorted(kinds, key=lambda kind: kind.name)
]
CLEAN_UP: Final = ("compensation", "finally")
SCRIPT: Final = {
    "odd": [gives(5)],
    "x": [gives(5)],
    "last": [fails()],
    "odd/compensate": [gives(1)],
}


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize(("construct", "kind"), TABLE)
@virtual
async def test_a_refused_child_is_named_and_a_cancel_ends_the_run(
    construct: str, kind: Kind, error: ClusterError
) -> None:
    async with World(script=SCRIPT) as world:
        refusal = Refusal(world.start(pods=PODS), error, kind)
        await begin(world, construct, refusal)
        await world.until(lambda: error.message in str(world.run()), "it is named", within=60)
        assert refusal.count
        if "finishedAt" in world.status():
            return  # refused for good
        await world.patch_run({"cancel": True, "skipFinally": True})
        assert (await world.finished(within=150))["phase"] in ("Cancelled", "Failed")


@pytest.mark.parametrize(("construct", "kind"), TABLE)
@virtual
async def test_a_refusal_that_ends_is_forgotten(construct: str, kind: Kind) -> None:
    async with World(script=SCRIPT) as world:
        refusal = Refusal(world.start(pods=PODS), QUOTA, kind)
        await begin(world, construct, refusal)
        await world.until(lambda: QUOTA.message in str(world.run()), "it is named", within=60)
        refusal.on = False
        await world.until(lambda: QUOTA.message not in str(world.run()), "forgotten", within=300)
        if kind is not Kind.APPROVAL and construct != "map-of-gates":
            expected = "Failed" if construct in CLEAN_UP else "Succeeded"
            assert (await world.finished(within=300))["phase"] == expected


@pytest.mark.parametrize("construct", CONSTRUCTS)
@virtual
async def test_every_kind_of_child_is_in_the_table(construct: str) -> None:
    created: set[Kind] = set()

    async def note(call: Call, send: Callable[[], Awaitable[Any]]) -> Any:
        if call.verb == "create" and call.kind is not Kind.EVENT:
            created.add(call.kind)
        return await send()

    async with World(script=SCRIPT) as world:
        operator = world.start(pods=PODS)
        operator.line.intercept = note
        await begin(world, construct)
        if construct == "map-of-gates":
            await world.until(lambda: len(world.all(Kind.APPROVAL)) == 3, "asked", within=60)
        else:
            await world.finished(within=60)
    assert created == CONSTRUCTS[construct][1]


async def begin(world: World, construct: str, refusal: Refusal | None = None) -> None:
    """A run of a construct, and the template that some of them name. What cleans up is refused, not
    what it cleans up after."""
    await create_template(world, {"nodes": [python("x")]})
    late = refusal is not None and construct in CLEAN_UP
    if refusal is not None:
        refusal.on = not late
    await world.submit(CONSTRUCTS[construct][0])
    if refusal is not None and late:  # the pass that ends it creates what cleans up
        await world.until(lambda: bool(world.ledger.of("last")), "the last node", within=60)
        refusal.on = True
