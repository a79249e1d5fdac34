"""An agent that is killed at every boundary of its work, and the attempt that continues it.

Real processes, SIGKILL, the real gateway, the scripted model server's own account.

The gate kills once in each state that the next attempt may find: of the boundaries between which
nothing is stored, sent or done it takes one, and of those that differ by the turn or the tool
alone the first. `make nightly` kills at every boundary.
"""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from waypost.protocol.work import Usage

from tests.agent.journaled import Site, Story
from tests.agent.killing import Attempted, warm
from tests.agent.pods import BRIEF, KEY, model_server

SCRIPTS = """
scripts:
  story:
    byAnswers: true
    turns:
    - call: [{tool: look, arguments: {where: here}}]
      tokens: {input: 100, cached: 10, output: 10}
    - call: [{tool: send, arguments: {text: hello}}, {tool: count, arguments: {words: one two}}]
      tokens: {input: 200, output: 20}
      expect: [{at: results.look, equals: "look: here"}]
    - malformed: '{"cause": '
      tokens: {input: 300, output: 30}
      expect: [{at: results.count, equals: 2}]
    - output: {cause: "${results.send}", confidence: 0.5}
      tokens: {input: 400, output: 40}
      expect: [{at: last, contains: Invalid JSON}]
"""
TOOLS = [
    {
        "module": "tests.agent.deeds",
        "functions": ["look", "send", "count"],
        "effects": {"send": "once"},
    }
]
PRICE = {"input": "1", "output": "1"}
OUTPUT = {"cause": "send: hello", "confidence": 0.5}


def both(name: str) -> tuple[str, str]:
    return f"{name}: before", f"{name}: after"


# What an attempt that nobody disturbs passes, in this order.
BOUNDARIES = [
    *both("append opened"),
    *both("append asking"),
    *both("model"),
    *both("append answer(look)"),
    *("tool look: before", "inside look", "tool look: after"),
    *both("append result(0)+asking"),
    *both("model"),
    *both("append answer(send,count)"),
    *("tool send: before", "inside send", "tool send: after", "append result(0): before"),
    *("tool count: before", "inside count", "tool count: after", "append result(0): after"),
    *both("append result(1)+asking"),
    *both("model"),
    *both("append answer()"),
    *both("append asking"),
    *both("model"),
    *both("append answer()"),
]
# From here on nobody knows whether the letter was sent, until its result is kept.
SENDING = range(
    BOUNDARIES.index("append answer(send,count): after"),
    BOUNDARIES.index("append result(0): after"),
)
# The gateway was asked to keep it, so it may have done so.
UNDER_WAY = SENDING[SENDING.index(BOUNDARIES.index("tool count: before")) :]


def state(at: int) -> str:
    """What a kill at this boundary leaves, but for the turn and the tool; "" where it leaves the
    same as one at the next boundary."""
    name = re.sub(r"\(.*\)|(?<=tool) \w+|(?<=inside) \w+", "", BOUNDARIES[at])
    if name.endswith(": after") and at + 1 < len(BOUNDARIES):
        return ""
    letter = "being kept" if at in UNDER_WAY else "unknown" if at in SENDING else "known"
    return f"{name}, letter {letter}"


SAMPLE = sorted({state(at): at for at in reversed(range(len(BOUNDARIES))) if state(at)}.values())


@pytest.fixture(scope="module", autouse=True)
def warmed() -> None:
    """Attempts have their libraries at hand."""
    warm()


@pytest.fixture(scope="module")
def models() -> Iterator[str]:
    with model_server(SCRIPTS) as address:
        yield address


@pytest.fixture
def story(site: Site, models: str, tmp_path: Path) -> Story:
    return reported(site, models, tmp_path, "story")


def reported(site: Site, models: str, folder: Path, script: str, **agent: Any) -> Story:
    (folder / "key").write_text(KEY)
    model = {"type": "OpenAI", "name": script, "baseUrl": f"{models}/v1", "price": PRICE}
    document = {
        "model": {**model, "keyFile": str(folder / "key")},
        # Another conversation for the scripted server in every test.
        "prompt": f"Tell me, {folder.name}.",
        "limits": {"requests": 50},
        "reasks": 2,
        "tools": TOOLS,
        **agent,
    }
    return Story(site, folder, document, output_schema=BRIEF)


def answers(story: Story) -> int:
    """Answers that the server gave in this conversation, by its own log."""
    url = story.agent["model"]["baseUrl"].removesuffix("/v1")
    entries = httpx2.get(f"{url}/_log").json()["entries"]
    mine = [e for e in entries if e["request"]["messages"][0]["content"] == story.agent["prompt"]]
    return sum(e["status"] == 200 for e in mine)


def calls(*parts: Usage | None) -> int:
    return sum(part.model_calls for part in parts if part is not None)


def test_an_attempt_that_nobody_disturbs(story: Story) -> None:
    done = story.attempt()
    assert done.boundaries == BOUNDARIES
    assert done.result is not None
    assert (done.result.output, done.result.carried) == (OUTPUT, None)
    assert story.deeds == ["look here", "send hello", "count one two"]
    assert answers(story) == 4


@pytest.mark.parametrize(
    "kill_at",
    [
        pytest.param(
            at,
            id=f"{at}-{name.replace(' ', '-')}",
            marks=() if at in SAMPLE else pytest.mark.nightly,
        )
        for at, name in enumerate(BOUNDARIES)
    ],
)
def test_the_next_attempt_goes_on_from_any_boundary(kill_at: int, story: Story) -> None:
    killed = story.attempt(kill_at=kill_at)
    assert killed.boundaries == BOUNDARIES[: kill_at + 1], "killed there"
    assert killed.result is None
    lost = _lost_answer(killed.boundaries)
    kept = _kept_answers(killed)
    after = story.attempt()
    done = Counter(story.deeds)
    assert done["send hello"] <= 1, "never twice"
    if kill_at in SENDING and not (kill_at in UNDER_WAY and after.result):
        _is_unknown(after)
        assert answers(story) == 2
        assert done["count one two"] == ("inside count" in killed.boundaries)
        return
    assert after.result is not None, after.failure
    assert after.result.output == OUTPUT
    assert answers(story) == 4 + lost
    usage, carried = after.result.usage, after.result.carried
    assert calls(usage, carried) == 4, "what a killed attempt used is not lost"
    assert usage is not None
    assert calls(carried) == usage.replayed_model_calls == kept
    assert set(done) == {"look here", "send hello", "count one two"}
    again = {name for name, times in done.items() if times > 1}
    assert again <= {_unfinished(killed)}, "only what was cut short"


def test_the_gate_kills_in_each_state() -> None:
    """Before and inside of everything, and after the last."""
    kinds = {"opened", "asking", "answer", "result+asking", "result"}
    appends = {state(at).split(":")[0].removeprefix("append ") for at in SAMPLE} & kinds
    assert appends == kinds
    for letter in ("known", "unknown", "being kept"):
        for name in ("tool: before", "inside"):
            assert f"{name}, letter {letter}" in map(state, SAMPLE)
    assert len(BOUNDARIES) - 1 in SAMPLE
    assert len(SAMPLE) < len(BOUNDARIES) / 2


def test_an_agent_that_is_killed_again_and_again_gets_there(story: Story) -> None:
    tools = [{**TOOLS[0], "effects": {"send": "idempotent"}}]
    lost = kills = 0
    attempted = story.attempt(kill_at=7, tools=tools)
    while attempted.result is None and kills < 15:
        kills += 1
        lost += _lost_answer(attempted.boundaries)
        attempted = story.attempt(kill_at=7, tools=tools)
    assert attempted.result is not None, attempted
    assert kills > 3
    assert attempted.result.output == OUTPUT
    assert answers(story) == 4 + lost
    assert calls(attempted.result.usage, attempted.result.carried) == 4


def _lost_answer(boundaries: list[str]) -> int:
    """1 if an answer was given, and not kept. Where it was killed was not passed."""
    since = 0
    for name in boundaries:
        if name == "model: after":
            since = 1
        if name.startswith("append answer") and name.endswith("after"):
            since = 0
    return since


def _kept_answers(killed: Attempted) -> int:
    return sum(n.startswith("append answer") and n.endswith("after") for n in killed.boundaries)


def _unfinished(killed: Attempted) -> str:
    """The line of the repeatable tool that was at work."""
    seen = killed.boundaries
    if "inside look" in seen and "append result(0)+asking: after" not in seen:
        return "look here"
    return "count one two" if "append result(1)+asking: after" not in seen else ""


def _is_unknown(after: Attempted) -> None:
    assert after.result is None
    assert after.failure is not None
    assert after.failure["reason"] == "UnknownEffect"
    message = after.failure["message"]
    for part in ("tool send", "call_", "sha256:", "rerun.outputs", "rerun.from", "onFailure"):
        assert part in message
    assert "hello" not in message, "the arguments are nobody's business"
    assert after.boundaries == [*both("append opened")], "nothing else is tried"
    assert calls(after.failure["carried"]) == 2
