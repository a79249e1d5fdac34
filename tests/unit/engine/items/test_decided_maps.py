"""Decided cases of maps that no other table has. The list of all cases: tests/docs/cases.yaml."""

from typing import Any

import pytest
from waypost.api.base import JsonObject
from waypost.compiler.definition import define

from tests.support.builders import python, spec
from tests.support.maps import items_of, mapped, output, programs, run_of, steps
from tests.support.play import Ending, Play, evicted, never_ends, raises, returns

BOOM = [raises()]
WHOLE: JsonObject = {"type": "integer"}


def test_s179_a_map_that_failed_waits_for_a_person_with_pause() -> None:
    endings = programs(i0=[raises(), returns("a")], i1=[returns("b")])
    play = Play(run_of([1, 2], mapped(onFailure="Pause"), python("end", after=["scan"])), endings)
    steps(play, 8)
    assert (play.status.phase, play.finished) == ("Paused", False)
    assert (play.phases["scan"], play.phases["end"]) == ("Failed", "Pending")
    play.rerun().finish()
    assert output(play) == ["a", "b"]
    assert play.launched == ["scan/0", "scan/1", "scan/0", "end"]


def test_s182_an_item_of_unknown_effect_waits_for_a_person_with_pause() -> None:
    """The person names the map; its result is then used, and nothing runs twice."""
    node = mapped(effect="once", onFailure="Pause")
    endings = programs(i0=[evicted()], i1=[returns("b")])
    play = Play(run_of([1, 2], node, python("end", after=["scan"])), endings)
    steps(play, 8)
    assert play.status.phase == "Paused"
    assert items_of(play).reasons == {"UnknownEffect": 1}
    play.rerun(outputs={"scan": ["a", "b"]}).finish()
    assert play.phases == {"scan": "Succeeded", "end": "Succeeded"}
    assert play.launched == ["scan/0", "scan/1", "end"]


@pytest.mark.parametrize(
    ("ending", "reason"),
    [
        pytest.param(raises("it is long", reason="OutputTooLarge"), "OutputTooLarge", id="large"),
        pytest.param(returns("text"), "OutputInvalid", id="invalid"),
    ],
)
def test_s173_an_output_that_is_refused_fails_its_item_alone(ending: Ending, reason: str) -> None:
    endings = programs(i0=[returns(1)], i1=[ending], i2=[returns(3)])
    node = mapped(outputSchema=WHOLE, forEach={"tolerate": 1}, retry={"never": True})
    play = Play(run_of([1, 2, 3], node), endings).finish()
    assert output(play) == [1, None, 3]
    assert items_of(play).reasons == {reason: 1}


def test_s172_eight_maps_are_in_progress_at_the_same_time() -> None:
    names = [f"m{at}" for at in range(9)]
    endings = {f"{name}/0": [never_ends()] for name in names[1:]} | {"m0/0": [returns(1)]}
    play = Play(run_of([1], *(mapped(name) for name in names), parallelism=50), endings)
    play.step()
    assert play.launched == [f"{name}/0" for name in names[:8]]
    assert play.phases["m8"] == "Pending"
    steps(play, 3)
    assert (play.phases["m0"], play.launched[8:]) == ("Succeeded", ["m8/0"])


def test_s172_at_most_100_items_have_begun_and_not_ended() -> None:
    """Also those that hold no place because they wait for their next attempt."""
    node = mapped(
        forEach={"maxParallel": 100}, retry={"limit": 1, "backoff": {"initial": "1h", "max": "1h"}}
    )
    play = Play(run_of(list(range(120)), node, parallelism=100), {"scan": BOOM})
    steps(play, 20)
    items = items_of(play)
    assert (len(play.launched), len(items.open or ())) == (100, 100)


def fingerprint(node: JsonObject, **fields: Any) -> str:
    return define(run_of([1], node, **fields)).fingerprints["scan"]


def looped(**fields: Any) -> JsonObject:
    return python("scan", repeat={"until": "${self.output == 1}", "max": 3, **fields})


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(mapped(), mapped(forEach={"maxParallel": 3}), id="max-parallel"),
        pytest.param(mapped(), mapped(forEach={"tolerate": 1}), id="tolerate"),
        pytest.param(mapped(), mapped(forEach={"items": "${[1]}"}), id="items"),
        pytest.param(mapped(), mapped(concurrency={"key": "k", "limit": 1}), id="concurrency"),
        pytest.param(looped(), looped(max=5), id="max"),
        pytest.param(looped(), looped(pause="9s"), id="pause"),
        pytest.param(looped(), looped(onLimit="Succeed"), id="on-limit"),
    ],
)
def test_s181_how_it_runs_is_no_part_of_what_it_does(one: JsonObject, other: JsonObject) -> None:
    assert fingerprint(one) == fingerprint(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(mapped(), mapped(inputs={"v": "${[item]}"}), id="inputs"),
        pytest.param(mapped(), mapped(outputSchema=WHOLE), id="schema"),
        pytest.param(mapped(), mapped(forEach={"collect": "None"}), id="collect"),
        pytest.param(mapped(), python("scan", inputs={"v": "${1}"}), id="no-map"),
        pytest.param(looped(), looped(until="${self.output == 2}"), id="until"),
    ],
)
def test_s181_what_it_does_is_its_definition(one: JsonObject, other: JsonObject) -> None:
    assert fingerprint(one) != fingerprint(other)


SHAPE: JsonObject = {"type": "object", "required": ["x"], "properties": {"x": WHOLE}}


@pytest.mark.parametrize(
    ("tolerate", "text", "says"),
    [
        pytest.param(0, "${nodes.scan.output[3].x}", "", id="one-item"),
        pytest.param(1, "${nodes.scan.output[3].x}", "output[3] may be null", id="of-tolerated"),
        pytest.param(0, "${nodes.scan.output.x}", "take an item first", id="not-an-item"),
        pytest.param(0, "${nodes.scan.phase == 'Suceeded'}", "is never 'Suceeded'", id="phase"),
    ],
)
def test_s176_what_is_read_of_one_item_is_checked(tolerate: int, text: str, says: str) -> None:
    node = mapped(outputSchema=SHAPE, forEach={"tolerate": tolerate})
    found = define(run_of([1], node, python("use", inputs={"v": text})))
    remarks = [str(one) for one in (*found.problems, *found.warnings) if "use.inputs" in str(one)]
    assert (says in remarks[0]) if says else not remarks


def test_s171_of_a_field_that_is_no_expression_the_reason_is_given() -> None:
    node = mapped(python={"source": "def run(v): ...", "image": "work:${item}"})
    problems = [str(problem) for problem in define(spec(node, inputs={"list": [1]})).problems]
    assert any("fixed before the run starts" in problem for problem in problems), problems
