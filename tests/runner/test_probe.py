"""The probe's programs against servers of every kind: the verdict is what the operator reads."""

import json
import socket
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from waypost.protocol.probe import ProbeReason, Verdict, decode
from waypost_node import probe

from tests.runner.outside import Answer, Outside, answering

CANARY = "sk-canary-8d1f0c5e2b7a"
MODELS = {"data": [{"id": "gpt-5-mini"}, {"id": "llama3.3:latest"}]}


class Bench:
    """The files of a probe's pod."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        monkeypatch.setenv("WAYPOST_PROBE_REQUEST", str(folder / "probe.json"))
        monkeypatch.setenv("WAYPOST_OUTPUT", str(folder / "termination-log"))

    def file(self, name: str, text: str) -> str:
        path = self.folder / name
        path.write_text(text)
        return str(path)

    def provider(self, url: str, *, seconds: float = 5.0, **document: Any) -> Verdict:
        """The verdict on a provider at `url`, as the operator reads it."""
        asked = {"type": "OpenAI", "baseUrl": url, "models": [], **document}
        request = {"v": 1, "timeoutSeconds": seconds, "provider": asked}
        self.file("probe.json", json.dumps(request))
        assert probe.main() == 0, "whatever the verdict, the probe itself has worked"
        return self.verdict()

    def verdict(self) -> Verdict:
        found = decode((self.folder / "termination-log").read_text())
        assert found is not None
        return found


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(tmp_path, monkeypatch)


def ask(bench: Bench, answer: Answer, **document: Any) -> tuple[Verdict, Outside]:
    with answering(answer) as server:
        return bench.provider(server.url + "/v1", **document), server


def test_query_parameters_are_sent_and_shown_in_no_message(bench: Bench) -> None:
    secret = f"{CANARY}/+"
    query = [
        {"name": "api-version", "value": "1"},
        {"name": "k", "file": bench.file("query", secret)},
    ]
    refused = Answer(status=401, body={"error": "who are you"})
    verdict, server = ask(bench, refused, query=query, type="Anthropic")
    sent = parse_qs(urlsplit(server.asked[0][0]).query)
    assert sent == {"limit": ["1000"], "api-version": ["1"], "k": [secret]}
    assert CANARY not in verdict.message


INTERFACES = [
    pytest.param("OpenAI", MODELS, "/v1/models", "authorization", f"Bearer {CANARY}", id="OpenAI"),
    pytest.param(
        "Anthropic", MODELS, "/v1/v1/models?limit=1000", "x-api-key", CANARY, id="Anthropic"
    ),
    pytest.param(
        "Google",
        {"models": [{"name": "models/gpt-5-mini"}, {"name": "models/llama3.3"}]},
        "/v1/v1beta/models?pageSize=1000",
        "x-goog-api-key",
        CANARY,
        id="Google",
    ),
]


@pytest.mark.parametrize(("type_", "body", "path", "header", "value"), INTERFACES)
def test_each_type_is_asked_its_own_way(
    bench: Bench, type_: str, body: Any, path: str, header: str, value: str
) -> None:
    key = bench.file("key", CANARY + "\n")
    wanted = ["gpt-5-mini", "llama3.3"]
    verdict, server = ask(bench, Answer(body=body), type=type_, keyFile=key, models=wanted)
    assert verdict == Verdict(ProbeReason.ANSWERED, "2 models", found=2)
    assert server.asked[0][0] == path
    assert server.asked[0][1][header] == value


def test_headers_of_the_provider_are_sent(bench: Bench) -> None:
    headers = [
        {"name": "X-Plain", "value": "1"},
        {"name": "X-Team", "file": bench.file("team", CANARY + "\n")},
    ]
    _, server = ask(bench, Answer(body={"data": []}), headers=headers)
    sent = server.asked[0][1]
    assert (sent["x-plain"], sent["x-team"]) == ("1", CANARY)


def test_models_that_are_not_listed_are_named(bench: Bench) -> None:
    verdict, _ = ask(bench, Answer(body=MODELS), models=["gpt-5-mini", "gpt-5-mimi"])
    assert verdict.reason == ProbeReason.UNKNOWN_MODELS
    assert verdict.ok, "a list may lack an alias: it is a warning"
    assert verdict.unknown == ("gpt-5-mimi",)
    assert "2 models, but not gpt-5-mimi" in verdict.message


def test_a_list_that_goes_on_proves_nothing_missing(bench: Bench) -> None:
    verdict, _ = ask(bench, Answer(body={**MODELS, "has_more": True}), models=["other"])
    assert verdict.reason == ProbeReason.ANSWERED


def error(message: str) -> dict[str, Any]:
    return {"error": {"message": message, "code": 1}}


REFUSALS = [
    pytest.param(
        Answer(401, error("Incorrect API key provided")),
        ProbeReason.UNAUTHORIZED,
        ["answered 401: Incorrect API key provided; it requires a key; set spec.apiKey"],
        id="unauthorized",
    ),
    pytest.param(
        Answer(403, {"error": "no access to this project"}),
        ProbeReason.FORBIDDEN,
        ["answered 403: no access to this project"],
        id="forbidden",
    ),
    pytest.param(
        Answer(404, b"404 page not found"),
        ProbeReason.NOT_FOUND,
        ["answered 404: 404 page not found; check the path of spec.baseURL"],
        id="not-found",
    ),
    pytest.param(
        Answer(200, b"<html>Welcome</html>"),
        ProbeReason.UNEXPECTED_ANSWER,
        ["not with a list of models (<html>Welcome</html>)", "a web page"],
        id="web-page",
    ),
    pytest.param(
        Answer(200, {"data": "none"}),
        ProbeReason.UNEXPECTED_ANSWER,
        ["not with a list"],
        id="other-json",
    ),
    pytest.param(
        Answer(500, b"x" * 5000), ProbeReason.UNEXPECTED_ANSWER, ["answered 500: xxx"], id="broken"
    ),
    pytest.param(
        Answer(302, b"", {"Location": "https://elsewhere.example"}),
        ProbeReason.UNEXPECTED_ANSWER,
        ["answered 302"],
        id="redirect",
    ),
    pytest.param(
        Answer(429, error("You exceeded your current quota")),
        ProbeReason.UNEXPECTED_ANSWER,
        ["answered 429: You exceeded your current quota"],
        id="quota",
    ),
]


@pytest.mark.parametrize(("answer", "reason", "says"), REFUSALS)
def test_a_refusal_is_told_in_the_server_s_words(
    bench: Bench, answer: Answer, reason: ProbeReason, says: list[str]
) -> None:
    verdict, server = ask(bench, answer)
    assert verdict.reason == reason
    assert not verdict.ok
    for part in says:
        assert part in verdict.message
    assert len(server.asked) == 1, "no redirect is followed, nothing is tried again"


def test_the_usual_mistake_has_its_own_hint(bench: Bench) -> None:
    with answering(Answer(404, b"")) as server:
        verdict = bench.provider(server.url)
    assert verdict.message.endswith("ends with /v1: add it to spec.baseURL")


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


UNREACHABLE = [
    pytest.param(
        f"http://127.0.0.1:{free_port()}/v1", "cannot be reached: [Errno 111]", id="refused"
    ),
    pytest.param(
        "http://no-such-host.invalid/v1", "no-such-host.invalid cannot be reached:", id="dns"
    ),
]


@pytest.mark.parametrize(("url", "says"), UNREACHABLE)
def test_no_answer_is_unreachable(bench: Bench, url: str, says: str) -> None:
    verdict = bench.provider(url)
    assert verdict.reason == ProbeReason.UNREACHABLE
    assert says in verdict.message
    assert "check that the name is right" in verdict.message


def test_silence_is_unreachable(bench: Bench) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        verdict = bench.provider(f"http://127.0.0.1:{port}", seconds=0.3)
    assert verdict.reason == ProbeReason.UNREACHABLE
    assert f"127.0.0.1:{port} did not respond in time" in verdict.message


@pytest.mark.parametrize(
    "url",
    [pytest.param("http://[::1", id="bracket"), pytest.param("http://x:port/v1", id="port")],
)
def test_what_is_no_address_is_a_bad_url(bench: Bench, url: str) -> None:
    verdict = bench.provider(url)
    assert verdict.reason == ProbeReason.BAD_URL
    assert url in verdict.message


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 that nobody else has signed, with its key."""
    folder = tmp_path_factory.mktemp("tls")
    key, pem = folder / "key.pem", folder / "cert.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *("-nodes", "-days", "2", "-subj", "/CN=models", "-addext"),
            *("subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(pem)),
        ],
        check=True,
        capture_output=True,
    )
    (folder / "both.pem").write_text(key.read_text() + pem.read_text())
    return folder / "both.pem"


def test_an_unknown_ca_is_named_and_can_be_trusted(bench: Bench, certificate: Path) -> None:
    with answering(Answer(body=MODELS), certificate=certificate) as server:
        verdict = bench.provider(server.url)
        trusting = bench.provider(server.url, caFile=str(certificate))
    assert verdict.reason == ProbeReason.UNREACHABLE
    assert "CERTIFICATE_VERIFY_FAILED" in verdict.message
    assert verdict.message.endswith("for a private CA set spec.tls")
    assert trusting.ok


def test_plain_http_behind_https_says_so(bench: Bench) -> None:
    with answering(Answer(body=MODELS)) as server:
        verdict = bench.provider(server.url.replace("http:", "https:"))
    assert "check that the port uses TLS" in verdict.message


def test_no_certificates_in_the_key_is_said(bench: Bench) -> None:
    verdict = bench.provider("https://x", caFile=bench.file("ca", "not PEM"))
    assert verdict.message.startswith(
        "spec.tls: the key that it names contains no certificates (PEM)"
    )


BAD_KEYS = [
    pytest.param("", "is empty", id="empty"),
    pytest.param("\n", "is empty", id="line-break"),
    pytest.param("sk-1\nsk-2", "characters that no header can hold", id="two-lines"),
    pytest.param("schlüssel", "characters that no header can hold", id="umlaut"),
]


@pytest.mark.parametrize(("key", "says"), BAD_KEYS)
def test_a_key_that_cannot_be_one_is_said(bench: Bench, key: str, says: str) -> None:
    verdict, server = ask(bench, Answer(body=MODELS), keyFile=bench.file("key", key))
    assert verdict.reason == ProbeReason.UNAUTHORIZED
    assert says in verdict.message
    assert not server.asked


ECHOES = [
    pytest.param(Answer(401, error(f"Incorrect API key provided: {CANARY}.")), id="message"),
    pytest.param(Answer(400, f"Authorization: Bearer {CANARY}".encode()), id="header"),
    pytest.param(Answer(200, f"<html>{CANARY}</html>".encode()), id="page"),
    pytest.param(Answer(500, json.dumps({"error": {"key": CANARY}}).encode()), id="json"),
    pytest.param(Answer(401, error(f"{'x' * 289} {CANARY}")), id="where-the-message-is-cut"),
    pytest.param(Answer(200, f"{'x' * 89} {CANARY}".encode()), id="where-the-page-is-cut"),
]


@pytest.mark.parametrize("answer", ECHOES)
def test_a_key_that_a_server_echoes_is_struck_out(
    bench: Bench, capfd: pytest.CaptureFixture[str], answer: Answer
) -> None:
    verdict, server = ask(bench, answer, keyFile=bench.file("key", CANARY))
    assert CANARY in server.asked[0][1]["authorization"], "the server did get it"
    shown = "".join([*capfd.readouterr(), (bench.folder / "termination-log").read_text()])
    assert CANARY[:6] not in shown, "no part of it either"
    assert "[redacted]" in verdict.message


def test_a_verdict_fits_into_a_termination_message(bench: Bench) -> None:
    wanted = [f"a-model-with-a-very-long-name-{n:0100}" for n in range(200)]
    verdict, _ = ask(bench, Answer(body=MODELS), models=wanted)
    assert (bench.folder / "termination-log").stat().st_size < 4096
    assert 0 < len(verdict.unknown) < 200
    assert "and 195 more" in verdict.message


def test_a_request_of_another_version_is_refused(bench: Bench) -> None:
    bench.file("probe.json", json.dumps({"v": 2}))
    assert probe.main() == 2
