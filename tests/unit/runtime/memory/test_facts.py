"""Facts of nodes on a simulated cluster: what is remembered, when, and who reads it."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from waypost.api.base import JsonObject
from waypost.kube.memory.names import entry_labels
from waypost.ports.cluster import Kind, QuotaExceeded, Rejected
from waypost.protocol import carrying

from tests.fakes.nodes.programs import Outcome, PodView
from tests.support.builders import container, gate, python, wait
from tests.support.harness import NAMESPACE, World, fails, gives
from tests.support.memory import (
    ENTRY,
    LABELS,
    decide,
    entries,
    memory_of,
    ran,
    snapshot_of,
    triage,
)
from tests.support.virtual import virtual

ADDRESS: JsonObject = {"subject": "address", "text": "Ships only to Leipzig"}
PLAIN: JsonObject = {"text": "Prefers mail"}
FACTS: JsonObject = {"facts": "${self.output.facts}"}
QUOTA = QuotaExceeded("exceeded quota: entries", code=403)
DENIED = Rejected("a webhook denied the request", code=403)


def stating(name: str = "a", *, remember: JsonObject | None = None, **fields: Any) -> JsonObject:
    """A node that remembers the facts in its output."""
    return python(name, remember=remember or FACTS, **fields)


def learning(*nodes: JsonObject, **fields: Any) -> JsonObject:
    """A run whose node remembers; all facts are read without a review unless `fields` differ."""
    memory = {"key": "customer-7", "review": "Automatic", **fields}
    return triage(*(nodes or (stating(),)), memory=memory)


def facts(world: World) -> list[Any]:
    """What the facts say, by their position."""
    found = sorted(entries(world, "Fact"), key=lambda body: body["spec"]["source"]["ordinal"])
    return [body["spec"]["value"] for body in found]


def by_path(world: World) -> dict[str, str]:
    """The text of the fact of each node."""
    found = (body["spec"] for body in entries(world, "Fact"))
    return {spec["source"]["path"]: spec["value"]["text"] for spec in found}


def full_facts(world: World) -> list[Any]:
    """The facts that came when the key was full."""
    return [body for body in entries(world, "Fact") if body["spec"].get("full")]


def says(*values: Any) -> dict[str, Any]:
    """The script of a node that states these facts."""
    return {"a": [gives({"facts": list(values)})] * 9}


@virtual
async def test_a_node_remembers_what_its_output_states() -> None:
    """S738: with all that says where a fact comes from."""
    async with World(script=says(ADDRESS, PLAIN)) as world:
        world.start()
        await ran(world, "first", learning())
        first, second = sorted(
            entries(world, "Fact"), key=lambda body: body["spec"]["source"]["ordinal"]
        )
        assert first["spec"]["subject"] == "address"
        assert first["spec"]["value"] == {"text": "Ships only to Leipzig"}
        assert first["spec"]["text"] == "Ships only to Leipzig"
        source = first["spec"]["source"]
        assert (source["path"], source["attempt"], source["ordinal"]) == ("a", 1, 0)
        assert source["outputDigest"] == world.node("a", "first")["outputDigest"]
        assert "subject" not in second["spec"]
        assert second["spec"]["source"]["ordinal"] == 1
        await ran(world, "second", learning())
        read = {one["text"] for one in snapshot_of(world, "second")["facts"]}
        assert read == {"Prefers mail", "Ships only to Leipzig"}


@virtual
async def test_a_fact_is_read_once_a_person_has_accepted_it() -> None:
    """S743: the default; a proposed one is in no snapshot."""
    async with World(script=says(ADDRESS)) as world:
        world.start()
        await ran(world, "first", learning(review=None))
        (entry,) = entries(world, "Fact")
        assert entry["spec"]["review"] == "Required"
        await ran(world, "second", learning(review=None))
        assert memory_of(world, "second")["facts"] == 0
        await decide(world, entry, "Accepted")
        await ran(world, "third", learning(review=None))
        assert [one["subject"] for one in snapshot_of(world, "third")["facts"]] == ["address"]


@virtual
async def test_a_node_may_loosen_the_review_of_its_facts() -> None:
    """S743: a watermark needs no person."""
    async with World(script=says(PLAIN)) as world:
        world.start()
        node = stating(remember={**FACTS, "review": "Automatic"})
        await ran(world, "first", learning(node, review=None))
        await ran(world, "second", learning(node, review=None))
        assert memory_of(world, "second")["facts"] == 1


@virtual
@pytest.mark.parametrize(
    ("stated", "found"),
    [
        pytest.param(
            [PLAIN, PLAIN, {"text": 5}],
            "$.remember[2].text: expected string, found 5 (integer)",
            id="S738-type",
        ),
        pytest.param(
            [{"subject": "x"}],
            "$.remember[0]: expected a property 'text', found an object with 'subject'",
            id="S738-missing",
        ),
        pytest.param(
            "Leipzig",
            "$.remember: expected array, found 'Leipzig' (string)",
            id="S738-text",
        ),
        pytest.param(
            [PLAIN] * 21,
            "$.remember: ",
            id="S739-many",
        ),
        pytest.param(
            [{"text": "x" * 2001}],
            "$.remember[0].text: expected at most 2000 characters",
            id="S739-long",
        ),
    ],
)
async def test_a_value_that_is_no_fact_fails_the_node(stated: Any, found: str) -> None:
    """S738: before its checkpoint, so nothing of it is remembered."""
    async with World(script={"a": [gives({"facts": stated})] * 3}) as world:
        world.start()
        await ran(world, "first", learning(stating(retry={"limit": 0})))
        node = world.node("a", "first")
        assert (node["phase"], node["reason"]) == ("Failed", "OutputInvalid")
        assert node["message"].startswith(found)
        assert not entries(world, "Fact")


@virtual
async def test_another_attempt_follows_one_whose_facts_are_refused() -> None:
    """S738: as after an output that does not meet outputSchema; only the checkpoint remembers."""
    script = {"a": [gives({"facts": [PLAIN, {"text": 5}]}), gives({"facts": [ADDRESS]})]}
    async with World(script=script) as world:
        world.start()
        node = stating(retry={"limit": 1, "backoff": {"initial": "1s"}})
        await ran(world, "first", learning(node))
        assert world.node("a", "first")["attempt"] == 2
        assert facts(world) == [{"text": "Ships only to Leipzig"}]
        assert entries(world, "Fact")[0]["spec"]["source"]["attempt"] == 2


@virtual
async def test_facts_meet_the_schema_of_the_run() -> None:
    """S738: memory.factSchema, with what is shared."""
    body = learning(
        factSchema={"$ref": "#/schemas/Limit"},
    )
    body["schemas"] = {
        "Limit": {
            "type": "object",
            "properties": {"subject": {"type": "string"}, "euros": {"type": "integer"}},
            "required": ["euros"],
        }
    }
    async with World(script=says({"subject": "limit", "euros": 50})) as world:
        world.start()
        await ran(world, "first", body)
        assert facts(world) == [{"euros": 50}]
        await ran(world, "second", body)
        (read,) = snapshot_of(world, "second")["facts"]
        assert (read["value"], read["text"]) == ({"euros": 50}, '{"euros":50}')


@virtual
async def test_a_run_is_finished_once_its_facts_are_written() -> None:
    """S740: also one without an Episode, and its result does not change meanwhile."""
    async with World(script=says(PLAIN)) as world:
        world.start()
        world.cluster.server.refusals["create", ENTRY] = lambda: QUOTA
        await world.submit(learning(), name="first", labels=LABELS)
        await asyncio.sleep(60)
        assert not world.is_finished("first")
        assert memory_of(world, "first")["end"]["phase"] == "Succeeded"
        assert world.condition("MemoryPending", "first")["status"] == "True"
        await world.patch_run({"cancel": True}, name="first")
        await asyncio.sleep(5)
        world.cluster.server.refusals.clear()
        status = await world.finished("first", within=30)
        assert status["phase"] == "Succeeded"
        assert facts(world) == [{"text": "Prefers mail"}]


@virtual
async def test_a_cancelled_run_keeps_the_facts_of_its_checkpoints() -> None:
    """S740: a checkpoint stays, and so does what it remembers."""
    script = {**says(PLAIN), "b": [gives({"n": 1}, seconds=500.0)]}
    async with World(script=script) as world:
        world.start()
        await world.submit(
            learning(stating(), python("b", dependsOn=["a"])), name="first", labels=LABELS
        )
        await world.until(lambda: bool(facts(world)), "the fact is written")
        await world.patch_run({"cancel": True}, name="first")
        status = await world.finished("first")
        assert status["phase"] == "Cancelled"
        assert facts(world) == [{"text": "Prefers mail"}]


@virtual
async def test_a_node_waits_while_its_facts_cannot_be_stored() -> None:
    """S740: its checkpoint is recorded with the name of their NodeRecord, or not at all."""
    async with World(script=says(PLAIN)) as world:
        world.start()
        await world.submit(learning(), name="first", labels=LABELS)
        await world.until(lambda: bool(memory_of(world, "first")), "it has begun", step=0.01)
        world.cluster.server.refusals["create", Kind.NODE_RECORD] = lambda: QUOTA
        await asyncio.sleep(60)
        assert world.node("a", "first")["phase"] == "Running"
        assert "its result cannot be stored" in world.node("a", "first")["message"]
        world.cluster.server.refusals.clear()
        await world.finished("first", within=60)
        assert facts(world) == [{"text": "Prefers mail"}]


@virtual
@pytest.mark.parametrize("kind", [ENTRY, Kind.NODE_RECORD], ids=["entry", "record"])
async def test_facts_that_are_refused_for_good_are_given_up(kind: Kind) -> None:
    """S740: the node has succeeded; a condition says what is missing."""
    async with World(script=says(PLAIN)) as world:
        world.start()
        await world.submit(learning(), name="first", labels=LABELS)
        await world.until(lambda: bool(memory_of(world, "first")), "it has begun", step=0.01)
        world.cluster.server.refusals["create", kind] = lambda: DENIED
        status = await world.finished("first")
        assert status["phase"] == "Succeeded"
        found = world.condition("MemoryRejected", "first")
        assert found["message"] == "not remembered: a webhook denied the request"
        assert not facts(world)


@virtual
async def test_what_is_known_already_is_not_remembered_again() -> None:
    """S741: equal subject and value; also of a fact that a person has rejected."""
    async with World(script=says(ADDRESS)) as world:
        world.start()
        await ran(world, "first", learning())
        await ran(world, "second", learning())
        (entry,) = entries(world, "Fact")
        await decide(world, entry, "Rejected")
        await ran(world, "third", learning())
        assert len(facts(world)) == 1


@virtual
async def test_a_fact_of_earlier_times_is_remembered_again_when_it_is_true_again() -> None:
    """S741: one that another has superseded is not known any more."""
    berlin = {"subject": "address", "text": "Berlin"}

    def program(pod: PodView) -> Outcome:
        return pod.succeeds({"facts": [berlin if pod.run_name == "second" else ADDRESS]})

    async with World(script={"a": [program]}) as world:
        world.start()
        for name in ("first", "second", "third"):
            await ran(world, name, learning())
        await ran(world, "fourth", learning(python("b")))
        (read,) = snapshot_of(world, "fourth")["facts"]
        assert read["text"] == "Ships only to Leipzig"
        assert read["source"]["run"] == "third"


@virtual
async def test_a_key_that_is_full_takes_no_more_facts() -> None:
    """S742: the new one is rejected, and the run says so; none is pushed out."""
    async with World(script=says(PLAIN)) as world:
        world.start()
        for number in range(200):
            await world.user.create(ENTRY, namespace=NAMESPACE, body=_fact(world, number))
        status = await ran(world, "first", learning())
        assert status["phase"] == "Succeeded"
        found = world.condition("MemoryRejected", "first")
        assert (found["reason"], found["message"]) == (
            "MemoryFull",
            "not remembered: MemoryFull: the key has 200 facts; accept or delete some",
        )
        assert [b["spec"]["value"] for b in full_facts(world)] == [PLAIN]
        assert len(entries(world, "Fact")) == 201


def _fact(world: World, number: int) -> JsonObject:
    now = world.clock.now()
    return {
        "apiVersion": "waypost.dev/v1alpha1",
        "kind": "MemoryEntry",
        "metadata": {
            "name": f"fact-{number}",
            "labels": entry_labels(scope="triage", key="customer-7", type_="Fact", run_uid="u"),
        },
        "spec": {
            "scope": "triage",
            "key": "customer-7",
            "type": "Fact",
            "value": {"text": f"fact {number}"},
            "source": {
                "at": now.isoformat(),
                "run": "old",
                "runUid": "u",
                "round": 1,
                "path": "a",
                "ordinal": number,
            },
            "expiresAt": (now + timedelta(days=30)).isoformat(),
        },
    }


@virtual
async def test_a_reused_checkpoint_remembers_nothing_again() -> None:
    """S740: and one that is made again has its own entries, named by the round."""
    script = {**says(ADDRESS), "b": [gives({"n": 1})] * 3}
    async with World(script=script) as world:
        world.start()
        body = learning(stating(), python("b"))
        await ran(world, "first", body)
        (entry,) = entries(world, "Fact")
        await world.delete(ENTRY, entry["metadata"]["name"])
        await world.patch_run({"rerun": {"round": 2, "from": ["b"]}}, name="first")
        await world.until(lambda: world.status("first")["round"] == 2, "it has begun")
        await world.finished("first")
        assert not facts(world)
        await world.patch_run({"rerun": {"round": 3, "from": ["a"]}}, name="first")
        await world.until(lambda: world.status("first")["round"] == 3, "it has begun")
        await world.finished("first")
        (again,) = entries(world, "Fact")
        assert again["metadata"]["name"] != entry["metadata"]["name"]
        assert again["spec"]["source"]["round"] == 3


@virtual
async def test_each_item_of_a_map_remembers() -> None:
    """S739 S740: names have the path of the item."""
    script = {"a": [lambda pod: pod.succeeds({"facts": [{"text": f"of {pod.inputs['n']}"}]})] * 3}
    async with World(script=script) as world:
        world.start()
        node = stating(forEach={"items": "${[1, 2, 3]}"}, inputs={"n": "${item}"})
        await ran(world, "first", learning(node))
        assert by_path(world) == {f"a/{at}": f"of {at + 1}" for at in range(3)}


@virtual
async def test_all_items_of_a_map_together_remember_200_facts() -> None:
    """S739: an item that would exceed it fails, and the attempts are not repeated."""

    def program(pod: PodView) -> Outcome:
        return pod.succeeds({"facts": [{"text": f"{pod.inputs['n']}-{at}"} for at in range(20)]})

    async with World(script={"a": [program] * 40}) as world:
        world.start()
        node = stating(
            forEach={"items": "${inputs.list}", "tolerate": 1, "maxParallel": 1},
            inputs={"n": "${item}"},
        )
        body = learning(node)
        body["inputs"] = {"list": list(range(11))}
        await ran(world, "first", body)
        items = world.node("a", "first")["items"]
        assert (items["succeeded"], items["failed"]) == (10, 1)
        assert items["failures"][0]["reason"] == "OutputInvalid"
        assert items["failures"][0]["message"] == (
            "$.remember: the items together have 220 facts, the limit is 200"
        )
        assert len(facts(world)) == 200


@virtual
async def test_every_kind_of_node_remembers() -> None:
    """S738: a gate, a wait, a loop, a node that chooses."""
    named = {"text": "${string(self.output.decision)}"}
    pause = {"text": "${self.output.until}"}
    loop = {"until": "${self.output.n > 1}", "max": 3}
    nodes = (
        wait("b", remember={"facts": [pause]}),
        stating("c", remember={"facts": [{"text": "${string(self.output.n)}"}]}, repeat=loop),
        {
            "name": "d",
            "first": {"of": ["c", "f"]},
            "remember": {"facts": [{"subject": "d", "text": "${string(self.output.n)}"}]},
        },
        python("f", dependsOn=["c"]),
        gate("e", remember={"facts": [named]}, dependsOn=["d"]),
    )
    script = {"c": [gives({"n": 1}), gives({"n": 2})]}
    async with World(script=script) as world:
        world.start()
        await world.submit(learning(*nodes), name="first", labels=LABELS)
        await world.until(lambda: bool(world.all(Kind.APPROVAL)), "it asks")
        await world.answer(decision="Approved", decidedBy="ann")
        await world.finished("first")
        found = {
            b["spec"]["source"]["path"]: b["spec"]["value"]["text"] for b in entries(world, "Fact")
        }
        assert found == {
            "b": world.node("b", "first")["output"]["until"],
            "c": "2",
            "d": "2",
            "e": "Approved",
        }


@virtual
async def test_nodes_of_finally_remember() -> None:
    """S740: the outbox is emptied after them."""
    script = {"a": [fails("no")], "tidy": [gives({"n": 1})]}
    async with World(script=script) as world:
        world.start()
        body = learning(python("a", retry={"limit": 0}))
        body["finally"] = [python("tidy", remember={"facts": [{"text": "tidied ${run.name}"}]})]
        status = await ran(world, "first", body)
        assert status["phase"] == "Failed"
        assert facts(world) == [{"text": "tidied first"}]


@virtual
async def test_an_absent_list_states_nothing() -> None:
    """S738: a path with .? leaves it out, as in inputs."""
    async with World(script={"a": [gives({"n": 1})]}) as world:
        world.start()
        await ran(world, "first", learning(stating(remember={"facts": "${self.output.?facts}"})))
        assert world.node("a", "first")["phase"] == "Succeeded"
        assert not facts(world)


@virtual
async def test_an_output_that_a_person_gives_states_nothing() -> None:
    """S738: no attempt of the node has made it."""
    async with World(script={"a": [fails("no")]}) as world:
        world.start()
        await ran(world, "first", learning(stating(retry={"limit": 0})))
        given = {"round": 2, "outputs": {"a": {"facts": [PLAIN]}}}
        await world.patch_run({"rerun": given}, name="first")
        await world.until(lambda: world.status("first")["round"] == 2, "it has begun")
        await world.finished("first")
        assert not facts(world)


@virtual
async def test_many_facts_are_written_pass_by_pass() -> None:
    """S740: a pass creates a few, so that a decision is never too old to be written."""
    names = [f"n{at}" for at in range(6)]
    script = {n: [gives({"facts": [{"text": f"{n} {at}"} for at in range(20)]})] for n in names}
    async with World(script=script) as world:
        world.start()
        body = learning(*(stating(name) for name in names))
        status = await ran(world, "first", body)
        assert status["phase"] == "Succeeded"
        assert len(entries(world, "Fact")) == 120
        assert "outbox" not in memory_of(world, "first")


MARKED: JsonObject = {
    "type": "object",
    "properties": {
        "facts": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"text": {"type": "string"}, "subject": {"$ref": "#/$defs/hidden"}},
                "required": ["text"],
                "additionalProperties": False,
            },
        },
        "pin": {"$ref": "#/$defs/hidden"},
    },
    "$defs": {"hidden": {"type": "string", "x-waypost-sensitive": True}},
}


@virtual
async def test_marked_values_of_an_output_are_replaced() -> None:
    """S749: in facts and in the Episode; the output of the node stays."""
    output = {"facts": [{"text": "Prefers mail", "subject": "Anna"}], "pin": "4711"}
    body = learning(stating(outputSchema=MARKED), remember={"all": "${nodes.a.output}"})
    async with World(script={"a": [gives(output)]}) as world:
        world.start()
        ended = await ran(world, "first", body)
        assert ended["phase"] == "Succeeded", ended["conditions"]
        (fact,) = entries(world, "Fact")
        assert (fact["spec"]["subject"], fact["spec"]["value"]) == ("[redacted]", PLAIN)
        (episode,) = entries(world)
        assert episode["spec"]["value"] == {
            "all": {
                "facts": [{"text": "Prefers mail", "subject": "[redacted]"}],
                "pin": "[redacted]",
            }
        }
        assert world.node("a", "first")["output"] == output


@virtual
async def test_marked_values_of_items_are_replaced() -> None:
    """S749: of a map in the Episode, and of what its items state."""
    output = {"facts": [{"text": "Prefers mail", "subject": "Anna"}], "pin": "4711"}
    node = stating(outputSchema=MARKED, forEach={"items": "${inputs.list}"})
    body = learning(node, remember={"pin": "${nodes.a.output[0].pin}"})
    async with World(script={"a/0": [gives(output)]}) as world:
        world.start()
        ended = await ran(world, "first", {**body, "inputs": {"list": [1]}})
        assert ended["phase"] == "Succeeded", ended["conditions"]
        (fact,) = entries(world, "Fact")
        assert fact["spec"]["subject"] == "[redacted]"
        (episode,) = entries(world)
        assert episode["spec"]["value"] == {"pin": "[redacted]"}


@virtual
async def test_the_sidecar_of_a_container_has_the_secrets_that_it_compares() -> None:
    """S750: under names that mean nothing to its Python, and only if it is remembered."""
    secret = {"secretKeyRef": {"name": "s", "key": "k"}}
    env = [{"name": "PYTHONPATH", "valueFrom": secret}, {"name": "PLAIN", "value": "x"}]
    volumes = [
        {"name": "keys", "mountPath": "/keys", "secret": {"secretName": "s"}},
        {"name": "data", "mountPath": "/data", "configMap": {"name": "c"}},
    ]
    both: dict[str, Any] = {"env": env, "isolation": {"volumes": volumes}}
    facts = {"facts": [{"text": "${string(self.output)}"}]}
    nodes = [container("a", remember=facts, **both), container("b", **both)]
    pods: list[Any] = []

    def note(kind: Kind, change: str, body: Any) -> None:
        if kind is Kind.JOB and change == "ADDED":
            pods.append(body["spec"]["template"]["spec"])

    async with World() as world:
        world.cluster.server.storage.listeners.append(note)
        world.start()
        await world.submit(learning(*nodes), name="first", labels=LABELS)
        await world.until(lambda: len(pods) == 2, "both are launched")
    [compared, plain] = sorted(pods, key=lambda pod: "initContainers" not in pod)
    assert "initContainers" not in plain
    [sidecar] = [one for one in compared["initContainers"] if one["name"] == carrying.CONTAINER]
    [program] = compared["containers"]
    outputs = [one["value"] for one in program["env"] if one["name"] == "WAYPOST_OUTPUT"]
    assert outputs == [carrying.OUTPUT_FILE]
    own = {one["name"]: one for one in sidecar["env"]}
    assert own["WAYPOST_SECRET_PYTHONPATH"]["valueFrom"] == secret
    assert "PYTHONPATH" not in own
    assert not {"PLAIN", "WAYPOST_SECRET_PLAIN"} & own.keys()
    mounts = {one["mountPath"]: one for one in sidecar["volumeMounts"]}
    assert mounts["/waypost/secrets/0"]["name"] == "user-keys"
    assert mounts["/waypost/secrets/0"]["readOnly"] is True
    assert not [one for one in mounts if one.startswith(("/keys", "/data"))]


@virtual
async def test_the_request_names_the_secrets_its_output_must_not_have() -> None:
    """S750: only of a node whose output is remembered."""
    secret = {"secretKeyRef": {"name": "s", "key": "k"}}
    env = [{"name": "TOKEN", "valueFrom": secret}, {"name": "PLAIN", "value": "x"}]
    volumes = [{"name": "keys", "mountPath": "/keys", "secret": {"secretName": "s"}}]
    isolation: dict[str, Any] = {"isolation": {"volumes": volumes}}
    nodes = [
        stating("a", env=env, **isolation),
        python("b", env=env, **isolation),
        python("c", env=env),
    ]
    seen: dict[str, Any] = {}

    def look(view: PodView) -> Outcome:
        asked = view.request
        seen[view.path] = asked.get("secretEnv"), asked.get("secretFolders")
        return view.succeeds({"facts": []})

    async with World(script={name: [look] for name in "abc"}) as world:
        world.start()
        await ran(world, "first", learning(*nodes, remember={"c": "${nodes.c.output.facts}"}))
    assert seen == {
        "a": (["TOKEN"], ["/keys"]),
        "b": (None, None),
        "c": (["TOKEN"], None),
    }
