"""`waypost lint`: the operator's words, the place in the file, exit codes, three outputs."""

import io
import json
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
import yaml
from waypost.cli.app import main
from waypost.cli.errors import Exit

from tests.typed_edges import DOUBTFUL, RIGHT, WRONG, Wrong

EXAMPLES = Path(__file__).parents[2] / "examples"


def manifest(spec: Any, kind: str = "AgentWorkflow") -> dict[str, Any]:
    return {
        "apiVersion": "waypost.dev/v1alpha1",
        "kind": kind,
        "metadata": {"name": "x"},
        "spec": spec,
    }


def linted(
    capsys: pytest.CaptureFixture[str], path: Path, *options: str
) -> tuple[int, dict[str, Any]]:
    """Exit code and the JSON that lint prints."""
    code = main(["lint", str(path), "-o", "json", *options])
    return code, json.loads(capsys.readouterr().out)


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "x.yaml"
    path.write_text(dedent(text), encoding="utf-8")
    return path


def dumped(tmp_path: Path, spec: Any, kind: str = "AgentWorkflow") -> Path:
    # JSON is YAML with all keys quoted: yaml.dump writes `n`, which is a boolean to kubectl.
    return written(tmp_path, json.dumps(manifest(spec, kind), indent=2))


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_wrong_has_the_operators_message(
    wrong: Wrong, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, reported = linted(capsys, dumped(tmp_path, wrong.spec))
    assert code == Exit.FAILED
    errors = [
        f"{f['field']}: {f['message']}" for f in reported["findings"] if f["severity"] == "error"
    ]
    assert wrong.says in errors


@pytest.mark.parametrize("right", RIGHT.values(), ids=RIGHT)
def test_right_is_clean(right: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, reported = linted(capsys, dumped(tmp_path, right))
    assert (code, reported["errors"]) == (Exit.OK, 0), reported["findings"]


def test_warnings_fail_only_when_strict(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = dumped(tmp_path, DOUBTFUL["number-for-integer"].spec)
    assert linted(capsys, path)[0] == Exit.OK
    code, reported = linted(capsys, path, "--strict")
    assert (code, reported["errors"], reported["warnings"]) == (Exit.FAILED, 0, 1)


def test_examples_are_clean(capsys: pytest.CaptureFixture[str]) -> None:
    code, reported = linted(capsys, EXAMPLES, "--strict")
    assert code == Exit.OK, reported["findings"]
    assert reported["objects"] >= len(list(EXAMPLES.glob("*/workflow.yaml")))


PLACED = """\
    # first line
    apiVersion: waypost.dev/v1alpha1
    kind: AgentWorkflow
    metadata: {name: x}
    spec:
      nodes:
      - name: a
        python: {source: "def run(): return 1"}
        outputSchema:
          type: object
          required: [title]
          properties: {title: {type: string}}
      - name: b
        when: "${nodes.a.output.title == 3}"
        inputs:
          text: {parts: ["${nodes.a.output.titel}"]}
        python: {source: "def run(text): return text"}
    """


def test_places(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path, PLACED)
    _, reported = linted(capsys, path)
    places = [(f["field"], f["line"], f["column"]) for f in reported["findings"]]
    assert places == [("nodes.b.when", 14, 5), ("nodes.b.inputs.text", 16, 7)]
    assert {(f["file"], f["kind"], f["name"]) for f in reported["findings"]} == {
        (str(path), "AgentWorkflow", "x")
    }


def test_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path, PLACED)
    assert main(["lint", str(path)]) == Exit.FAILED
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == (
        f"{path}:14:5: error: nodes.b.when: nodes.a.output.title == 3: "
        "`==` compares string with integer: they are never equal"
    )
    assert lines[-1] == "2 errors, 0 warnings in 1 object"


def test_sarif(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What code hosts need of SARIF 2.1.0."""
    path = written(tmp_path, PLACED)
    assert main(["lint", str(path), "-o", "sarif"]) == Exit.FAILED
    log = json.loads(capsys.readouterr().out)
    assert log["version"] == "2.1.0"
    (run,) = log["runs"]
    rules = {rule["id"] for rule in run["tool"]["driver"]["rules"]}
    for result in run["results"]:
        assert result["ruleId"] in rules
        assert result["level"] in ("error", "warning")
        (location,) = result["locations"]
        physical = location["physicalLocation"]
        assert physical["artifactLocation"] == {"uri": path.as_posix()}
        assert physical["region"]["startLine"] >= 1
    assert [r["locations"][0]["physicalLocation"]["region"] for r in run["results"]] == [
        {"startLine": 14, "startColumn": 5},
        {"startLine": 16, "startColumn": 7},
    ]


HEAD = "apiVersion: waypost.dev/v1alpha1\nkind: AgentWorkflow\nmetadata: {name: x}\n"
NODE = "  - name: a\n    python: {source: 'def run(**kw): return 1'}\n"


def of(kind: str) -> str:
    return HEAD.replace("AgentWorkflow", kind)


def row(id: str, text: str, line: int, field: str, says: str) -> Any:
    return pytest.param(text, line, field, says, id=id)


@pytest.mark.parametrize(
    ("text", "line", "field", "says"),
    [
        row(
            "unknown-field",
            f"{HEAD}spec:\n  nodes:\n{NODE}    dependOn: [b]\n",
            8,
            "nodes[0].dependOn",
            "unknown field dependOn in nodes[0]; did you mean dependsOn? (see docs/concepts.md)",
        ),
        row(
            "unknown-field-of-spec",
            f"{HEAD}spec:\n  node: []\n  nodes:\n{NODE}",
            5,
            "node",
            "unknown field node in the spec; did you mean nodes?",
        ),
        row(
            "unknown-field-of-kind",
            f"{HEAD}spec:\n  nodes:\n  - name: a\n    python: {{souce: x}}\n",
            7,
            "nodes[0].python.souce",
            "unknown field souce in nodes[0].python; did you mean source?",
        ),
        row(
            "unknown-field-at-top",
            f"{HEAD}specs: {{}}\nspec:\n  nodes:\n{NODE}",
            4,
            "specs",
            "unknown field specs in the object; did you mean spec?",
        ),
        row(
            "unknown-kind",
            HEAD.replace("AgentWorkflow", "AgentWorkflows"),
            2,
            "kind",
            "did you mean 'AgentWorkflow'",
        ),
        row(
            "unknown-version",
            HEAD.replace("v1alpha1", "v2"),
            1,
            "apiVersion",
            "expected waypost.dev/v1alpha1",
        ),
        row(
            "no-name",
            f"{HEAD.replace('{name: x}', '{}')}spec:\n  nodes:\n{NODE}",
            3,
            "metadata",
            "has no name",
        ),
        row("no-spec", HEAD, 1, "spec", "is required"),
        row(
            "key-twice",
            f"{HEAD}spec:\n  nodes:\n{NODE}    timeout: 1m\n    timeout: 2m\n",
            9,
            "nodes[0].timeout",
            "is written twice",
        ),
        row(
            "boolean-value",
            f"{HEAD}spec:\n  nodes:\n{NODE}    inputs: {{answer: no}}\n",
            8,
            "nodes[0].inputs.answer",
            "YAML reads no as false",
        ),
        row(
            "boolean-key",
            f"{HEAD}spec:\n  nodes:\n{NODE}    inputs:\n      y: 1\n",
            9,
            "nodes.a.inputs.true",
            "put the key in quotes",
        ),
        row(
            "approval-schema",
            f"{of('Approval')}spec: {{run: r}}\n",
            4,
            "path",
            "is required",
        ),
        row(
            "provider",
            f"{of('ModelProvider')}spec: {{typ: OpenAI}}\n",
            4,
            "typ",
            "unknown field typ in the spec; did you mean type? (see docs/providers.md)",
        ),
        row(
            "tool-server",
            f"{of('ToolServer')}spec:\n  timout: 1s\n",
            5,
            "timout",
            "unknown field timout in the spec; did you mean timeout?",
        ),
    ],
)
def test_what_yaml_and_models_find(
    text: str, line: int, field: str, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, reported = linted(capsys, written(tmp_path, text))
    found = [f for f in reported["findings"] if f["field"] == field and says in f["message"]]
    assert found, reported["findings"]
    assert found[0]["line"] == line


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param("yes", True, id="yes"),
        pytest.param("n", False, id="n"),
        pytest.param("'yes'", "yes", id="quoted"),
        pytest.param("2026-11-24", "2026-11-24", id="a-date-is-text"),
        pytest.param("12:30:00", "12:30:00", id="a-time-is-text"),
        pytest.param("0.5", 0.5, id="number"),
        pytest.param("~", None, id="null"),
        pytest.param("{<<: {a: 1}, b: 2}", {"a": 1, "b": 2}, id="merged"),
    ],
)
def test_values_are_read_as_kubectl_reads_them(text: str, value: Any) -> None:
    from waypost.cli.lint.manifests import documents

    (document,) = documents(f"v: {text}\n")
    assert document.value == {"v": value}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param("a: [", "not YAML", id="broken"),
        pytest.param("a: {{ .Values.x }}", "not YAML|no object of Waypost", id="a-helm-template"),
        pytest.param("kind: Pod\n", "no object of Waypost", id="nothing-of-ours"),
        pytest.param("", "no object of Waypost", id="empty"),
        pytest.param(
            "a: &a [x, x, x, x, x, x, x, x, x, x]\n"
            + "".join(
                f"{name}: &{name} [{', '.join([f'*{below}'] * 10)}]\n"
                for below, name in zip("abcdef", "bcdefg", strict=True)
            ),
            "too large",
            id="anchors-that-explode",
        ),
    ],
)
def test_unusable_input_is_2(
    text: str, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["lint", str(written(tmp_path, text))]) == Exit.USAGE
    reported = capsys.readouterr().err
    assert any(words in reported for words in says.split("|")), reported


def test_no_such_file_is_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lint", str(tmp_path / "gone.yaml")]) == Exit.USAGE
    assert "gone.yaml: cannot be read" in capsys.readouterr().err


def test_several_documents_from_stdin(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    good = yaml.safe_dump(manifest(RIGHT["path"]))
    bad = yaml.safe_dump(manifest(WRONG["cycle"].spec))
    text = f"---\n{good}---\nkind: Secret\napiVersion: v1\n---\n{bad}---\n"
    monkeypatch.setattr("sys.stdin", io.StringIO(text))
    assert main(["lint", "-"]) == Exit.FAILED
    out = capsys.readouterr().out
    assert out.startswith("<stdin>:")
    assert out.endswith("1 error, 0 warnings in 2 objects\n")
