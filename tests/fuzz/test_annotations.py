"""Labels and annotations that nobody of ours has written, on runs, Jobs, pods and Approvals: no
operator stops at them, and the run beside them ends (S701)."""

import asyncio
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from waypost.api import meta
from waypost.ports.cluster import Kind, PatchType

from tests.fuzz.extent import deep
from tests.support.builders import gate, python, spec
from tests.support.harness import NAMESPACE, World, gives
from tests.support.virtual import VirtualLoop

OURS: Final = sorted(
    value
    for name, value in vars(meta).items()
    if name.startswith("ANNOTATION_") and value and "/" in value
)
KEYS: Final = st.sampled_from([*OURS, "plain", "a/b", "kopf.zalando.org/last-handled", "k" * 63])
TEXTS: Final = st.one_of(
    st.text(max_size=20),
    st.sampled_from(
        ["", "/", "//", "a/", "/a", "1/2/3", "{", "{}", "[]", "null", "-1", "1e999", "9" * 30]
    ),
)
NOTES: Final = st.dictionaries(KEYS, TEXTS, min_size=1, max_size=4)
KINDS: Final = st.sampled_from([Kind.AGENT_WORKFLOW, Kind.JOB, Kind.POD, Kind.APPROVAL])


async def _disturbed(kind: Kind, notes: dict[str, str]) -> None:
    """Annotate every object of a kind that belongs to one run; another run must not notice."""
    async with World(script={"a": [gives(1, seconds=30)], "b": [gives(2, seconds=30)]}) as world:
        world.start()
        ask = gate("ask", message="Go?", timeout="2h", onTimeout="Fail")
        await world.submit(spec(python("a"), ask), name="noted")
        await world.submit(spec(python("b")), name="other")
        await world.until(lambda: bool(world.all(Kind.POD)), "pods exist", within=60)
        for one in world.all(kind):
            if "other" in str(one["metadata"].get("ownerReferences", one["metadata"]["name"])):
                continue
            await world.user.patch(
                kind,
                namespace=NAMESPACE,
                name=one["metadata"]["name"],
                body={"metadata": {"annotations": notes}},
                patch_type=PatchType.MERGE,
            )
        assert (await world.finished("other", within=600))["phase"] == "Succeeded"
        assert (await world.finished("noted", within=9000))["phase"] in ("Succeeded", "Failed")
        assert not world.condition("SetAside", "noted")


def played(kind: Kind, notes: dict[str, str]) -> None:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(_disturbed(kind, notes))


@settings(max_examples=500 if deep else 12, suppress_health_check=list(HealthCheck), deadline=None)
@given(kind=KINDS, notes=NOTES)
def test_s701_no_annotation_stops_the_operator(kind: Kind, notes: dict[str, str]) -> None:
    played(kind, notes)


@pytest.mark.parametrize("kind", [Kind.AGENT_WORKFLOW, Kind.JOB, Kind.POD, Kind.APPROVAL])
@pytest.mark.parametrize("text", ["", "/", "{", "-1"])
def test_s701_all_of_ours_at_once(kind: Kind, text: str) -> None:
    notes: dict[str, Any] = dict.fromkeys(OURS, text)
    played(kind, notes)
