"""Attachments of an agent: what its model is sent, what is refused, and what a journal keeps."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest
import waypost_agent
from waypost.protocol.artifacts import limits
from waypost.protocol.artifacts.request import Artifacts, Content, Taken
from waypost.protocol.reasons import Reason
from waypost.protocol.request import Request
from waypost.protocol.work import WorkFailed, WorkResult

from tests.agent.attempts import MODULE, Node
from tests.agent.pods import Pod
from tests.agent.replies import Call, answer
from tests.runner.bench import request_of
from tests.runner.servers import Reply, serving

PNG = b"\x89PNG\r\n\x1a\n" + bytes(90)
PDF = b"%PDF-1.7\n" + b"1 0 obj\n" * 20
WAV = b"RIFF\0\0\0\0WAVE" + bytes(40)
ALL = ["Image", "PDF", "Audio"]


def digest(number: int) -> str:
    return f"sha256:{number:064x}"


def artifacts(folders: list[str], first: int = 1) -> Artifacts:
    """What an operator pins for attachments in these folders."""
    taken = []
    for at, folder in enumerate(folders):
        number, _, below = folder.partition("/")
        content = Content(digest(first + at), 2048, 1)
        taken.append(Taken(f"attachment-{number}", below, content))
    return Artifacts(tuple(taken))


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that the init container fills."""
    folder = tmp_path / "attachments"
    monkeypatch.setenv("WAYPOST_ATTACHMENTS", str(folder))
    return folder


def write(root: Path, files: dict[str, bytes]) -> list[str]:
    """Unpack attachments; returns their folders."""
    folders = []
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        number = name.partition("/")[0]
        folders.append(number)
    return list(dict.fromkeys(folders))


def play(
    root: Path, type_: str, folders: list[str], *, inputs: list[str], **more: Any
) -> tuple[WorkResult | WorkFailed, list[Any]]:
    """The outcome of an agent with these attachments, and the bodies of its calls."""
    with serving(answer(type_, "seen")) as server:
        pod = Pod(root.parent, server.url, type_)
        model = {"inputs": inputs, **more}
        try:
            result: Any = pod.perform("any", model=model, artifacts=artifacts(folders))
        except WorkFailed as failed:
            result = failed
    return result, [json.loads(one.body) for one in server.asked]


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


OPENAI = [
    {"type": "text", "text": "What happened?"},
    {"type": "text", "text": "a.png:"},
    {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{b64(PNG)}"}},
    {"type": "text", "text": "b.pdf:"},
    {
        "type": "file",
        "file": {"file_data": f"data:application/pdf;base64,{b64(PDF)}", "filename": ...},
    },
]
ANTHROPIC = [
    {"type": "text", "text": "What happened?"},
    {"type": "text", "text": "a.png:"},
    {
        "type": "image",
        "source": {"type": "base64", "media_type": "image/png", "data": b64(PNG)},
    },
    {"type": "text", "text": "b.pdf:"},
    {
        "type": "document",
        "source": {"type": "base64", "media_type": "application/pdf", "data": b64(PDF)},
    },
]
GOOGLE = [
    {"text": "What happened?"},
    {"text": "a.png:"},
    {"inlineData": {"mime_type": "image/png", "data": b64(PNG)}},
    {"text": "b.pdf:"},
    {"inlineData": {"mime_type": "application/pdf", "data": b64(PDF)}},
]
FORMS = [
    pytest.param("OpenAI", OPENAI, id="openai"),
    pytest.param("Anthropic", ANTHROPIC, id="anthropic"),
    pytest.param("Google", GOOGLE, id="google"),
]


def matches(found: Any, expected: Any) -> bool:
    """Whether a message has these parts; `...` stands for any text."""
    if expected is ...:
        return isinstance(found, str)
    if isinstance(expected, dict):
        keys = set(expected) <= set(found)
        return keys and all(matches(found[key], value) for key, value in expected.items())
    if isinstance(expected, list):
        pairs = zip(found, expected, strict=True)
        return len(found) == len(expected) and all(matches(one, two) for one, two in pairs)
    return bool(found == expected)


@pytest.mark.parametrize(("type_", "parts"), FORMS)
def test_s486_files_are_sent_with_the_prompt(type_: str, parts: list[Any], root: Path) -> None:
    folders = write(root, {"0/a.png": PNG, "0/b.pdf": PDF})
    result, [body] = play(root, type_, folders, inputs=ALL)
    assert isinstance(result, WorkResult), result
    message = body["contents"][0] if type_ == "Google" else body["messages"][0]
    found = message["parts" if type_ == "Google" else "content"]
    assert matches(found, parts), found


def test_s486_the_folders_of_a_list_are_named(root: Path) -> None:
    write(root, {"0/0/a.png": PNG, "0/1/a.png": PNG})
    _, [body] = play(root, "OpenAI", ["0/0", "0/1"], inputs=["Image"])
    texts = [one["text"] for one in body["messages"][0]["content"] if one["type"] == "text"]
    assert texts == ["What happened?", "0/a.png:", "1/a.png:"]


REFUSED: dict[str, tuple[dict[str, bytes], list[str], str]] = {
    "no inputs": ({"0/a.png": PNG}, [], "a.png is image/png, and model any takes text; use"),
    "another input": ({"0/b.pdf": PDF}, ["Image"], "and model any takes text, Image; use another"),
    "sound": ({"0/c.wav": WAV}, ["PDF"], "add Audio to models[].inputs"),
    "text": ({"0/a.txt": b"hello"}, ALL, "a.txt is no file that models take"),
    "named as a picture": ({"0/a.png": b"GIF8"}, ALL, "a.png is no file that models take"),
    "empty": ({"0/a.png": b""}, ALL, "a.png is no file that models take"),
}


@pytest.mark.parametrize(("files", "inputs", "text"), REFUSED.values(), ids=REFUSED)
def test_s487_what_a_model_does_not_take_ends_the_attempt_before_a_call(
    files: dict[str, bytes], inputs: list[str], text: str, root: Path
) -> None:
    failed, asked = play(root, "OpenAI", write(root, files), inputs=inputs)
    assert isinstance(failed, WorkFailed)
    assert failed.reason is Reason.INPUT_INVALID
    assert failed.message.startswith("agent.attachments: ")
    assert text in failed.message
    assert asked == []


def test_s487_every_model_of_the_node_must_take_the_files(root: Path) -> None:
    folders = write(root, {"0/a.png": PNG})
    model = {"type": "OpenAI", "name": "one", "baseUrl": "http://x.invalid", "inputs": ["Image"]}
    other = {**model, "name": "two", "inputs": []}
    agent = {"model": model, "fallbacks": [other], "prompt": "Look."}
    request = bare(agent, artifacts(folders))
    with pytest.raises(WorkFailed, match="model two takes text"):
        waypost_agent.perform(request, deadline=1e9)


def bare(agent: dict[str, Any], given: Artifacts) -> Request:
    return request_of(kind="agent", agent=agent, artifacts=given)


def test_s487_a_link_is_refused(root: Path) -> None:
    folders = write(root, {"0/a.png": PNG})
    (root / "0/b.png").symlink_to("a.png")
    failed, _ = play(root, "OpenAI", folders, inputs=ALL)
    assert "b.png is a link" in str(failed)


def test_s487_an_attachment_without_files_is_refused(root: Path) -> None:
    (root / "0/empty").mkdir(parents=True)
    failed, _ = play(root, "OpenAI", ["0"], inputs=ALL)
    assert "attachment 0 has no files" in str(failed)


def test_s487_bytes_and_files_are_limited(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folders = write(root, {f"0/{n}.png": PNG for n in range(limits.ATTACHMENT_FILES)})
    result, _ = play(root, "OpenAI", folders, inputs=ALL)
    assert isinstance(result, WorkResult)
    monkeypatch.setattr("waypost_agent.attachments.ATTACHMENT_BYTES", len(PNG) * 10)
    failed, asked = play(root, "OpenAI", folders, inputs=ALL)
    assert ("the files have more than" in str(failed), asked) == (True, [])
    monkeypatch.undo()
    monkeypatch.setenv("WAYPOST_ATTACHMENTS", str(root))
    write(root, {"0/more.png": PNG})
    failed, asked = play(root, "OpenAI", folders, inputs=ALL)
    assert ("there are more than 50 files" in str(failed), asked) == (True, [])


COUNT = answer("OpenAI", "", Call("count", '{"words": "one"}'))
TOOLS = [{"module": MODULE, "functions": ["count"]}]


def attempts(node: Node, replies: list[Reply], first: int) -> Any:
    model = {"inputs": ["Image"]}
    given = artifacts(["0"], first)
    return node.play(replies, tools=TOOLS, model=model, artifacts=given)


def test_s488_a_journal_continues_with_the_same_digests_only(node: Node, root: Path) -> None:
    write(root, {"0/a.png": PNG})
    attempts(node, [COUNT, Reply(status=401)], 1)
    assert len(node.asked) == 2
    attempts(node, [Reply(status=401)], 1)
    [again] = [json.loads(one.body)["messages"] for one in node.asked]
    assert [one["role"] for one in again] == ["user", "assistant", "tool"], "it was replayed"
    assert b64(PNG) in json.dumps(again[0]), "the file is read again"
    attempts(node, [Reply(status=401)], 7)
    [fresh] = [json.loads(one.body)["messages"] for one in node.asked]
    assert [one["role"] for one in fresh] == ["user"], "other files are another conversation"


def test_s488_a_journal_has_no_content_of_attachments(node: Node, root: Path) -> None:
    data = PNG + bytes(range(256)) * 400
    write(root, {"0/a.png": data})
    result = attempts(node, [COUNT, answer("OpenAI", "seen")], 1)
    assert isinstance(result, WorkResult), result
    texts = node.texts()
    assert texts
    assert all(b64(data)[:200] not in one for one in texts)
    assert sum(map(len, texts)) < 10_000


@pytest.mark.parametrize(
    ("name", "data", "least", "most"),
    [
        pytest.param("a.png", PNG + bytes(2_000_000), 1600, 1700, id="picture"),
        pytest.param("b.pdf", PDF + bytes(500_000), 30_000, 35_000, id="pdf"),
    ],
)
def test_s489_unreported_tokens_of_files_are_estimated_by_kind(
    name: str, data: bytes, least: int, most: int, root: Path
) -> None:
    folders = write(root, {f"0/{name}": data})
    with serving(answer("OpenAI", "seen", tokens=None)) as server:
        pod = Pod(root.parent, server.url)
        result = pod.perform("any", model={"inputs": ALL}, artifacts=artifacts(folders))
    assert result.usage is not None
    assert least <= result.usage.input_tokens <= most
