"""Scripts: which are accepted, and what is reported for the others."""

import pytest
from waypost.dev.script import ScriptError, parse


def turns(text: str) -> str:
    """A file with one script of these turns, which begin on line 4."""
    return "scripts:\n  s:\n    turns:\n" + text


@pytest.mark.parametrize(
    ("text", "reported"),
    [
        pytest.param("scripts: [", "f:1: not YAML", id="no-yaml"),
        pytest.param("", "the file: expected an object", id="empty"),
        pytest.param("scripts: {}\n", "f:1: scripts: ", id="no-scripts"),
        pytest.param("scripts:\n  s: {turns: []}\n", "f:2: scripts.s.turns: ", id="no-turns"),
        pytest.param(
            turns("    - say: hi\n    - speak: hi\n"), "f:5: scripts.s.turns[1].speak: ", id="typo"
        ),
        pytest.param(
            turns("    - {say: hi, refuse: never}\n"),
            "f:4: scripts.s.turns[0]: expected one of",
            id="two-actions",
        ),
        pytest.param(turns("    - {repeat: 2}\n"), "found none", id="no-action"),
        pytest.param(
            turns("    - status: 200\n"), "f:4: scripts.s.turns[0].status: ", id="success"
        ),
        pytest.param(turns("    - {say: hi, retryAfter: 2}\n"), "require status", id="say"),
        pytest.param(
            turns("    - {status: 429, tokens: {input: 1}}\n"), "status is not an answer", id="cost"
        ),
        pytest.param(turns("    - hang: forever\n"), "turns[0].hang: ", id="no-duration"),
        pytest.param(
            turns("    - {say: hi, tokens: {input: 3, cached: 4}}\n"),
            "cached is part of input",
            id="cached",
        ),
        pytest.param(
            turns("    - say: hi\n      expect:\n      - {at: prompt}\n"),
            "f:6: scripts.s.turns[0].expect[0]: expected exactly one of",
            id="no-test",
        ),
        pytest.param(
            turns("    - {say: hi, repeat: 0}\n"), "f:4: scripts.s.turns[0].repeat: ", id="never"
        ),
    ],
)
def test_wrong_scripts_are_told_by_line_and_path(text: str, reported: str) -> None:
    with pytest.raises(ScriptError) as caught:
        parse(text, source="f")
    assert reported in str(caught.value)


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(ScriptError) as caught:
        parse(turns("    - status: 200\n    - speak: hi\n"), source="f")
    assert "f:4:" in str(caught.value)
    assert "f:5:" in str(caught.value)


def test_output_null_is_an_output() -> None:
    turn = parse(turns("    - output: null\n"), source="f").scripts["s"].turns[0]
    assert turn.action == "output"
