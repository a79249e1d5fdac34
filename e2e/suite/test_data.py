"""Data crosses every boundary typed and bounded; pods get nothing they do not need."""

import pytest

from e2e.suite.build import schema, workflow
from e2e.suite.space import Space, condition, node_of

LARGE = "x" * 50_000


def test_large_input_travels_by_config_map_and_large_output_by_record(
    space: Space, runner: str
) -> None:
    size = """
        import json, os
        with open("/waypost/in/inputs/text") as file:
            length = len(file.read())
        with open(os.environ["WAYPOST_OUTPUT"], "w") as file:
            json.dump(length, file)
        """
    run = space.start(
        workflow("large")
        .having(
            inputs={"text": LARGE},
            outputs={"last": "${nodes.back.output}", "big": "${nodes.big.output}"},
        )
        .python("measure", "return len(text)", inputs={"text": "${inputs.text}"})
        .container("foreign", runner, size, inputs={"text": "${inputs.text}"})
        .python("big", "return {'text': 'y' * 3000, 'none': None}")
        .python(
            "back",
            "return [len(big['text']), big['none']]",
            inputs={"big": "${nodes.big.output}"},
        )
    )
    seen = run.succeeded()
    assert node_of(seen, "measure")["output"] == len(LARGE)
    assert node_of(seen, "foreign")["output"] == len(LARGE)
    maps = {m["metadata"]["name"]: m for m in space.all("configmaps", f"waypost.dev/run={run.uid}")}
    assert len(maps) == 2
    assert all(m["immutable"] and m["metadata"]["ownerReferences"] for m in maps.values())
    big = node_of(seen, "big")
    assert "output" not in big
    record = space.get("noderecords", big["outputRecord"]) or {}
    assert record["spec"]["digest"] == big["outputDigest"]
    assert record["spec"]["data"]["none"] is None
    assert seen["status"]["outputs"]["last"] == [3000, None], "the next node got all of it"
    assert seen["status"]["outputs"]["big"]["text"] == "y" * 3000


BROKEN_OUTPUTS = [
    pytest.param(
        "return {'n': 'seven'}",
        "OutputInvalid",
        ["$.n", "expected", "integer", "found", "seven"],
        id="type",
    ),
    pytest.param("return {}", "OutputInvalid", ["$:", "'n'", "expected", "found"], id="missing"),
    pytest.param("return {'n': 2 ** 60}", "OutputInvalid", ["$.n", "2^53"], id="too-precise"),
]


@pytest.mark.parametrize(("body", "reason", "reported"), BROKEN_OUTPUTS)
def test_output_that_breaks_its_schema_stops_with_path_expected_and_found(
    space: Space, request: pytest.FixtureRequest, body: str, reason: str, reported: list[str]
) -> None:
    run = space.start(
        workflow(f"output-{request.node.callspec.id}")
        .python("bad", body, outputSchema=schema(n="integer"))
        .python("after", "return 1", inputs={"n": "${nodes.bad.output.n}"})
    )
    seen = run.finished()
    bad = node_of(seen, "bad")
    assert (bad["phase"], bad["reason"]) == ("Failed", reason)
    for text in reported:
        assert text in bad["message"], f"{text!r} should be in {bad['message']!r}"
    assert node_of(seen, "after")["reason"] == "DependencyFailed"
    assert bad["message"] in condition(seen, "Succeeded")["message"]


def test_foreign_output_is_checked_by_the_operator(space: Space, runner: str) -> None:
    write = "import os\nopen(os.environ['WAYPOST_OUTPUT'], 'w').write('%s')"
    run = space.start(
        workflow("foreign-output")
        .container(
            "typed",
            runner,
            write % '{"n": "x"}',
            outputSchema=schema(n="integer"),
            onFailure="Continue",
        )
        .container("chatty", runner, write % ("7" * 5000), onFailure="Continue")
        .container("words", runner, write % "just words")
    )
    seen = run.finished()
    typed = node_of(seen, "typed")
    assert typed["reason"] == "OutputInvalid"
    assert "$.n" in typed["message"]
    assert node_of(seen, "chatty")["reason"] == "OutputTooLarge", "never a number cut from its tail"
    assert node_of(seen, "words")["output"] == "just words"


def test_input_that_breaks_its_schema_fails_before_any_pod_starts(space: Space) -> None:
    run = space.start(
        workflow("input")
        .python("source", "return {'n': 'many'}")
        .python(
            "strict",
            "return n",
            inputs={"n": "${nodes.source.output.n}"},
            inputSchema=schema(n="integer"),
        )
    )
    strict = node_of(run.finished(), "strict")
    assert (strict["phase"], strict["reason"]) == ("Failed", "InputInvalid")
    for text in ("n", "integer", "many"):
        assert text in strict["message"]
    assert not run.jobs("strict")


PROBE = """
import os

def run():
    try:
        open("/etc/probe", "w")
        root = "writable"
    except OSError as error:
        root = error.strerror
    token = os.path.exists("/var/run/secrets/kubernetes.io/serviceaccount/token")
    with open("/tmp/scratch", "w") as file:
        file.write("ok")
    with open("/proc/self/status") as file:
        caps = [line.split()[1] for line in file if line.startswith("CapEff")][0]
    return dict(root=root, token=token, uid=os.getuid(), caps=int(caps, 16))
"""


def test_pods_run_restricted_without_token_and_with_read_only_root(space: Space) -> None:
    # The namespace enforces the level `restricted`: a pod that asks for more would be refused.
    seen = space.start(workflow("probe").python("probe", PROBE)).succeeded()
    assert node_of(seen, "probe")["output"] == {
        "root": "Read-only file system",
        "token": False,
        "uid": 65532,
        "caps": 0,
    }
