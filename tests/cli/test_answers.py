"""`waypost approvals`, `approve` and `deny`."""

from typing import Any

import pytest
from waypost.cli.app import main
from waypost.cli.errors import Exit

from tests.cli.conftest import Answer, Api
from tests.cli.runs import GROUP, NAMESPACE, RUN_PATH, at, run

Captured = pytest.CaptureFixture[str]
APPROVALS = f"{GROUP}/namespaces/{NAMESPACE}/approvals"
PATH = f"{APPROVALS}/notes-review"


def asked(*, state: str = "Open", **spec: Any) -> dict[str, Any]:
    given = {
        "run": "notes",
        "path": "review",
        "message": "Publish \x1b[31mthis?\nReally?",
        "context": {"title": "News"},
        "approvers": {"users": ["ann"], "groups": ["sre"]},
        "requesters": ["bob"],
        "requestDigest": "sha256:1",
        **spec,
    }
    metadata = {"name": "notes-review", "namespace": NAMESPACE, "creationTimestamp": at(0)}
    return {"metadata": metadata, "spec": given, "status": {"state": state}}


def guarded() -> dict[str, Any]:
    """A run whose gate holds back a payment."""
    found = run()
    pay = {"url": "https://bank.example/x", "method": "POST"}
    model = {"provider": "main", "name": "m"}
    found["spec"]["nodes"] = [
        {"name": "draft", "agent": {"prompt": "go", "model": model}},
        {
            "name": "review",
            "approval": {"message": "ok?", "approvers": {"users": ["ann"]}},
            "dependsOn": ["draft"],
        },
        {"name": "pay", "http": pay, "dependsOn": ["review"]},
    ]
    found["spec"].pop("budget")
    return found


def serve(api: Api, approval: dict[str, Any]) -> None:
    """A question, and an operator that records the answer at once."""
    api.put(RUN_PATH, guarded())
    api.put(PATH, approval)
    api.items(APPROVALS, approval)

    def patch(path: str, body: Any) -> Answer:
        spec = body["spec"]
        state = {"state": spec.get("decision"), "decidedBy": spec.get("decidedBy")}
        status = {"state": "Open", "votes": "1/2"} if "votes" in spec else state
        api.put(PATH, {**approval, "status": status})
        return 200, {}

    api.on_patch = patch


ATTACHED = {
    "name": "nodes.draft.artifacts.pdf",
    "digest": "sha256:2",
    "bytes": 2048,
    "files": 1,
    "record": "notes-draft-1",
}


def test_s498_the_question_shows_its_attachments(api: Api, capsys: Captured) -> None:
    serve(api, asked(attachments=[ATTACHED]))
    main(["approve", "notes-review", "--yes"])
    shown = capsys.readouterr().out
    assert "waypost download RECORD" in shown
    line = next(line for line in shown.splitlines() if line.startswith("nodes.draft.artifacts.pdf"))
    assert line.split() == ["nodes.draft.artifacts.pdf", "2048", "1", "sha256:2", "notes-draft-1"]


QUESTION = """\
notes-review  Open  asked by node review of run notes

  Publish  [31mthis?
  Really?

  {
    "title": "News"
  }

may answer   ann, group sre
may not      bob (asked for it)
digest       sha256:1

after a yes these nodes can run:
NODE  KIND  EFFECT  DESTINATION
pay   http  once    POST https://bank.example/x

"""


def test_what_happens_is_shown_before_the_answer(api: Api, capsys: Captured) -> None:
    serve(api, asked())
    assert main(["approve", "notes-review", "--yes", "--reason", "fine"]) == 0
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert lines == [*QUESTION.splitlines(), "notes-review is Approved by ann"]


def test_s392_an_answer_is_for_the_question_that_was_shown(api: Api, capsys: Captured) -> None:
    serve(api, asked())
    assert main(["approve", "notes-review", "--yes", "--reason", "fine"]) == 0
    spec = {"decision": "Approved", "reason": "fine"}
    spec |= {"decidedBy": "ann", "decidedDigest": "sha256:1"}
    assert api.patched == [(PATH, {"spec": spec})]


def test_deny(api: Api, capsys: Captured) -> None:
    serve(api, asked())
    assert main(["deny", "notes-review", "-y"]) == 0
    assert "notes-review is Denied by ann" in capsys.readouterr().out
    assert api.patched[0][1]["spec"]["decision"] == "Denied"


def test_one_of_several_votes(api: Api, capsys: Captured) -> None:
    serve(api, asked(approvers={"users": ["ann", "eve"], "required": 2}))
    assert main(["approve", "notes-review", "-y"]) == 0
    assert "the vote is recorded: 1/2" in capsys.readouterr().out
    vote = {"decision": "Approved", "decidedDigest": "sha256:1"}
    assert api.patched == [(PATH, {"spec": {"votes": {"ann": vote}}})]


def test_nobody_is_asked_in_a_pipe(api: Api, capsys: Captured) -> None:
    serve(api, asked())
    assert main(["approve", "notes-review"]) == Exit.USAGE
    assert "use --yes to confirm" in capsys.readouterr().err
    assert api.patched == []


SCHEMA = {"type": "object", "required": ["budget"], "properties": {"budget": {"type": "integer"}}}


@pytest.mark.parametrize(
    ("argv", "printed"),
    [
        pytest.param([], "asks for a typed answer: add --answer", id="missing"),
        pytest.param(["--answer", "{"], "expected JSON", id="not-json"),
        pytest.param(["--answer", '{"budget": "x"}'], "expected integer", id="wrong-type"),
    ],
)
def test_a_typed_answer_is_checked_first(
    api: Api, capsys: Captured, argv: list[str], printed: str
) -> None:
    serve(api, asked(answerSchema=SCHEMA))
    assert main(["approve", "notes-review", "-y", *argv]) == Exit.USAGE
    assert printed in capsys.readouterr().err
    assert api.patched == []


def test_a_typed_answer(api: Api) -> None:
    serve(api, asked(answerSchema=SCHEMA))
    assert main(["approve", "notes-review", "-y", "--answer", '{"budget": 3}']) == 0
    assert api.patched[0][1]["spec"]["answer"] == {"budget": 3}


@pytest.mark.parametrize(
    ("change", "code", "printed"),
    [
        pytest.param({"state": "Denied"}, Exit.FAILED, "is Denied: it was answered", id="answered"),
        pytest.param({}, Exit.NOT_FOUND, "open ones are: notes-review", id="missing"),
    ],
)
def test_questions_that_cannot_be_answered(
    api: Api, capsys: Captured, change: Any, code: Exit, printed: str
) -> None:
    serve(api, asked(**change))
    name = "notes-review" if change else "notes-rewiev"
    assert main(["approve", name, "-y"]) == code
    assert printed in capsys.readouterr().err


def test_a_refusal_is_in_the_words_of_the_api_server(api: Api, capsys: Captured) -> None:
    serve(api, asked())
    refusal = {"kind": "Status", "reason": "Forbidden", "message": "you started this run"}
    api.on_patch = lambda path, body: (403, refusal)
    assert main(["approve", "notes-review", "-y"]) == Exit.CLUSTER
    assert "refused: you started this run" in capsys.readouterr().err


def test_an_answer_that_does_not_count(api: Api, capsys: Captured) -> None:
    serve(api, asked())
    invalid = {"type": "AnswerValid", "status": "False", "message": "too late"}

    def patch(path: str, body: Any) -> Answer:
        api.put(PATH, {**asked(), "status": {"state": "Open", "conditions": [invalid]}})
        return 200, {}

    api.on_patch = patch
    assert main(["approve", "notes-review", "-y"]) == Exit.FAILED
    assert "the answer does not count: too late" in capsys.readouterr().err


def test_without_a_name_nothing_is_answered(api: Api, capsys: Captured) -> None:
    serve(api, asked())
    api.user = ""
    assert main(["approve", "notes-review", "-y"]) == Exit.CLUSTER
    assert api.patched == []


def test_open_questions(api: Api, capsys: Captured) -> None:
    done = asked(state="Approved")
    done["metadata"]["name"] = "old"
    api.items(APPROVALS, asked(), done)
    assert main(["approvals", "-o", "name"]) == 0
    assert capsys.readouterr().out == "approval.waypost.dev/notes-review\n"
    assert main(["approvals", "--all"]) == 0
    head, *rows = capsys.readouterr().out.splitlines()
    assert head.split() == [
        "NAME",
        "RUN",
        "NODE",
        "STATE",
        "ASKED",
        "LEVEL",
        "VOTES",
        "BY",
        "AGE",
        "UNTIL",
        "MESSAGE",
    ]
    assert len(rows) == 2
    assert rows[0].split()[:5] == ["notes-review", "notes", "review", "Open", "ann,"]


def test_no_question(api: Api, capsys: Captured) -> None:
    api.items(APPROVALS)
    assert main(["approvals"]) == 0
    assert capsys.readouterr().err == "no open approvals\n"


LETTER = {"type": "object", "required": ["text"], "properties": {"text": {"type": "string"}}}
CALL: dict[str, Any] = {
    "subject": "toolCall",
    "message": "May agent draft call tool send with these arguments?",
    "context": {"tool": "send", "arguments": {"text": "hello"}},
    "answerSchema": LETTER,
}


@pytest.mark.parametrize(
    ("argv", "answer"),
    [
        pytest.param([], {}, id="as-shown"),
        pytest.param(["--arguments", '{"text": "hi"}'], {"answer": {"text": "hi"}}, id="edited"),
        pytest.param(["--answer", '{"text": "hi"}'], {"answer": {"text": "hi"}}, id="as-answer"),
    ],
)
def test_s542_a_tool_call_is_approved_as_shown_or_with_other_arguments(
    api: Api, capsys: Captured, argv: list[str], answer: dict[str, Any]
) -> None:
    serve(api, asked(**CALL))
    assert main(["approve", "notes-review", "-y", *argv]) == 0
    sent = {"decision": "Approved", "decidedBy": "ann", "decidedDigest": "sha256:1"}
    assert api.patched == [(PATH, {"spec": sent | answer})]
    printed = capsys.readouterr().out
    assert '"text": "hello"' in printed, "tool and arguments are shown"
    assert "after a yes the call is made once" in printed


@pytest.mark.parametrize(
    ("spec", "argv", "printed"),
    [
        pytest.param(CALL, ["--arguments", "{}"], "--arguments does not match", id="no-fit"),
        pytest.param({}, ["--arguments", "{}"], "is about no tool call", id="gate"),
        pytest.param(
            CALL, ["--arguments", "{}", "--answer", "{}"], "one of --answer and", id="both"
        ),
    ],
)
def test_s542_arguments_are_checked_first(
    api: Api, capsys: Captured, spec: dict[str, Any], argv: list[str], printed: str
) -> None:
    serve(api, asked(**spec))
    assert main(["approve", "notes-review", "-y", *argv]) == Exit.USAGE
    assert printed in capsys.readouterr().err
    assert api.patched == []
