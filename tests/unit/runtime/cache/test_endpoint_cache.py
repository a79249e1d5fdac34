"""Runs that name a provider or a server: they wait for it, are woken by it, and fail only when it
surely is not there."""

import json
from pathlib import Path
from typing import Any

import pytest
import waypost
from waypost.api.items.status import ItemsStatus
from waypost.api.status import AgentWorkflowStatus, NodeStatus
from waypost.ports.cluster import Kind, Listing, Obj
from waypost.runtime.cache.endpoints import EndpointCache
from waypost.runtime.cache.runs import Key

from tests.fakes.api.watch import ROUGH, Delivery
from tests.support.builders import agent, python, spec
from tests.support.harness import World, gives
from tests.support.virtual import virtual
from tests.unit.runtime.test_probe_controller import OK, make, says

MAIN: Obj = {
    "type": "OpenAI",
    "baseURL": "http://models.example/v1",
    "apiKey": {"name": "openai", "key": "api-key"},
}
SCRIPT: dict[str, Any] = {"think": [gives({"text": "x"})], "": [says(OK)]}
HURRY = agent("think", queueTimeout="30s")


def reason(world: World) -> str:
    return str(world.node("think").get("reason", ""))


@virtual
async def test_a_run_waits_for_its_provider_and_goes_on_when_it_comes() -> None:
    async with World(script=SCRIPT) as world:
        world.start()
        await world.submit(spec(agent("think"), python("beside")))
        await world.until(lambda: reason(world) == "MissingReference", "it says so", within=3)
        node = world.node("think")
        assert node["phase"] == "Pending"
        assert "ModelProvider main does not exist in namespace default" in node["message"]
        await world.until(lambda: world.node("beside").get("phase") == "Succeeded", "others go on")
        await world.quiet(20)
        before = world.clock.monotonic()
        await make(world, Kind.MODEL_PROVIDER, "main", MAIN)
        await world.until(lambda: bool(world.ledger.of("think")), "it is launched", within=4)
        assert world.clock.monotonic() - before < 4
        await world.finished()


@virtual
async def test_it_fails_at_its_queue_timeout_after_a_live_look() -> None:
    async with World(script=SCRIPT) as world:
        operator = world.start()
        await world.submit(spec(HURRY))
        await world.finished(within=40)
        node = world.node("think")
        assert (node["phase"], node["reason"]) == ("Failed", "MissingReference")
        asked = [(call.verb, call.kind) for call in operator.line.calls]
        reported = "the first list, and the look before it failed"
        assert asked.count(("list", Kind.MODEL_PROVIDER)) == 2, reported


@virtual
async def test_a_provider_that_the_watch_kept_to_itself_is_found_by_the_last_look() -> None:
    deaf = Delivery(delay=(5000.0, 6000.0))
    async with World(script=SCRIPT) as world:
        world.start(delivery=deaf)
        await world.submit(spec(HURRY))
        await make(world, Kind.MODEL_PROVIDER, "main", MAIN)
        await world.finished(within=8000)
        assert world.node("think")["phase"] == "Succeeded"


@pytest.mark.parametrize("seed", range(3))
@virtual
async def test_a_bad_watch_costs_time_and_no_result(seed: int) -> None:
    async with World(script=SCRIPT, seed=seed) as world:
        world.start(delivery=ROUGH, seed=seed)
        await world.submit(spec(agent("think")))
        await make(world, Kind.MODEL_PROVIDER, "main", MAIN)
        await world.finished(within=700)
        assert world.node("think")["phase"] == "Succeeded"


@virtual
async def test_a_namesake_in_another_namespace_is_no_provider() -> None:
    async with World(script=SCRIPT, namespaces=("default", "other")) as world:
        world.start()
        body = {
            "apiVersion": "waypost.dev/v1alpha1",
            "kind": "ModelProvider",
            "metadata": {"name": "main"},
            "spec": MAIN,
        }
        await world.user.create(Kind.MODEL_PROVIDER, namespace="other", body=body)
        await world.submit(spec(HURRY))
        await world.finished(within=40)
        assert world.node("think")["reason"] == "MissingReference"


@virtual
async def test_a_key_reaches_the_pod_as_a_file_and_by_no_other_way() -> None:
    async with World(script=SCRIPT) as world:
        world.start()
        await make(world, Kind.MODEL_PROVIDER, "main", MAIN)
        await world.submit(spec(agent("think")))
        await world.finished()
        pods = [pod for pod in world.all(Kind.JOB) if pod["spec"]["template"]["spec"]["volumes"]]
        assert len(pods) == 2, "the node's and the probe's"
        for job in pods:
            pod = job["spec"]["template"]["spec"]
            (container,) = pod["containers"]
            assert "secretKeyRef" not in json.dumps(container)
            volume = next(v for v in pod["volumes"] if v["name"] == "secrets")
            (source,) = volume["projected"]["sources"]
            item = {"key": "api-key", "path": "model/key", "mode": 0o440}
            assert source == {"secret": {"name": "openai", "items": [item]}}


def test_only_services_that_need_keys_read_secrets() -> None:
    """`gateway/tls` reads the one Secret with the CA of the gateways (S778)."""
    assert [kind for kind in Kind if "secret" in kind.plural] == [Kind.SECRET]
    package = Path(waypost.__file__).parent
    readers = [
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        if "Kind.SECRET" in path.read_text()
    ]
    expected = ["gateway/tls/secret.py", "ingress/keys.py", "model_gateway/keys.py"]
    assert sorted(readers) == expected


# --- the cache itself ----------------------------------------------------------------------------

RUN = Key("default", "brief", "r-1")


def body(name: str, version: int, *, namespace: str = "default", spec: Any = None) -> Obj:
    metadata = {"name": name, "namespace": namespace, "uid": f"u-{namespace}-{name}"}
    return {
        "metadata": {**metadata, "resourceVersion": str(version), "generation": 1},
        "spec": MAIN if spec is None else spec,
    }


def test_older_states_do_not_replace_newer_ones() -> None:
    catalog = EndpointCache()
    assert catalog.take(Kind.MODEL_PROVIDER, body("a", 5)) is not None
    assert catalog.take(Kind.MODEL_PROVIDER, body("a", 4, spec={})) is None
    assert catalog.take(Kind.MODEL_PROVIDER, body("a", 5)) is None, "the watch repeats our write"
    assert catalog.providers("default")["a"] is not None


def test_a_complete_list_drops_what_it_lacks_and_nothing_newer() -> None:
    catalog = EndpointCache()
    for name, version in (("old", 3), ("kept", 4), ("new", 12)):
        catalog.take(Kind.MODEL_PROVIDER, body(name, version))
    catalog.take(Kind.MODEL_PROVIDER, body("far", 2, namespace="other"))
    catalog.take(Kind.TOOL_SERVER, body("old", 2))
    catalog.replace(
        Kind.MODEL_PROVIDER, "default", Listing(items=(body("kept", 4),), resource_version="10")
    )
    assert set(catalog.providers("default")) == {"kept", "new"}
    assert set(catalog.providers("other")) == {"far"}
    assert set(catalog.servers("default")) == {"old"}


def test_an_object_that_the_models_refuse_is_there_and_cannot_be_used() -> None:
    catalog = EndpointCache()
    catalog.take(Kind.MODEL_PROVIDER, body("future", 1, spec={"type": "Future"}))
    assert catalog.providers("default") == {"future": None}


def test_only_runs_that_wait_are_woken() -> None:
    catalog = EndpointCache()
    waits = NodeStatus(path="think", phase="Pending", reason="MissingReference")
    catalog.note(RUN, AgentWorkflowStatus(nodes=[waits]))
    assert catalog.waiting("default") == [RUN]
    assert catalog.waiting("other") == []
    catalog.note(RUN, AgentWorkflowStatus(nodes=[NodeStatus(path="think", phase="Running")]))
    assert catalog.waiting("default") == []
    catalog.note(RUN, AgentWorkflowStatus(nodes=[waits]))
    catalog.forget(RUN)
    assert catalog.waiting("default") == []


@pytest.mark.parametrize(
    ("text", "waiting"),
    [
        pytest.param("4 +12 #3fa9c1 =MissingReference no provider", [RUN], id="waits"),
        pytest.param("4 +12 =RateLimited slow", [], id="another-reason"),
        pytest.param("4 +12 it says =MissingReference", [], id="in-a-message"),
    ],
)
def test_a_run_with_a_waiting_item_is_woken(text: str, waiting: list[Key]) -> None:
    catalog = EndpointCache()
    listed = ItemsStatus(round=1, total=5, states="S*4 H", open=[text])
    scan = NodeStatus(path="scan", phase="Running", items=listed)
    catalog.note(RUN, AgentWorkflowStatus(nodes=[scan]))
    assert catalog.waiting("default") == waiting
