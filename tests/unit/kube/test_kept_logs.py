"""The documents of kept logs (S586): limits, redaction, and what a record gives back."""

import hashlib
from datetime import UTC, datetime

import pytest
from waypost.api.pod import LogPolicy
from waypost.kube.logs import document
from waypost.kube.logs.policy import LogSettings, annotation, effective
from waypost.kube.logs.redaction import redacted
from waypost.kube.payloads import AttemptRef
from waypost.protocol import ijson

NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)
REF = AttemptRef("brief", "uid-1", "scan/3", 2, 4)
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P"
KEY = "-----BEGIN RSA PRIVATE KEY-----\nMIIEow==\nabc\n-----END RSA PRIVATE KEY-----"


def kept(text: str, limit: int = 1024) -> document.KeptLog:
    return document.kept(text, pod="p", now=NOW, limit=limit)


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        pytest.param("key sk-proj-abcdefghijklmnop1234 used", "key [redacted] used", id="openai"),
        pytest.param("ghp_abcdefghijklmnopqrst0123", "[redacted]", id="github"),
        pytest.param("xoxb-1234567890-abc", "[redacted]", id="slack"),
        pytest.param("AKIAIOSFODNN7EXAMPLE.", "[redacted].", id="aws"),
        pytest.param(f"token is {JWT}", "token is [redacted]", id="jwt"),
        pytest.param(
            "Authorization: Bearer abcdef123456", "Authorization: Bearer [redacted]", id="header"
        ),
        pytest.param("got bearer abcdefghij.klm again", "got bearer [redacted] again", id="bearer"),
        pytest.param(
            '{"password": "hunter22", "a": 1}', '{"password": "[redacted]", "a": 1}', id="json"
        ),
        pytest.param("DB_PASSWORD=hunter22 next", "DB_PASSWORD=[redacted] next", id="variable"),
        pytest.param(
            "https://h/p?token=abcdef123&x=1", "https://h/p?token=[redacted]&x=1", id="query"
        ),
        pytest.param(f"a\n{KEY}\nb", "a\n[redacted]-----END RSA PRIVATE KEY-----\nb", id="pem"),
        pytest.param("tokens: 1234567, the secret garden, task-1", None, id="innocent"),
        pytest.param("risk-assessment-of-the-quarter", None, id="words-with-hyphens"),
    ],
)
def test_what_looks_like_a_secret(text: str, clean: str | None) -> None:
    assert redacted(text) == (text if clean is None else clean)


def test_a_secret_at_the_cut_is_recognized() -> None:
    """It is removed before the log is cut: half a secret has no form."""
    secret = "sk-" + "a" * 60
    for limit in range(20, 90):
        assert "aaaaaaaa" not in kept(f"{'x' * 200}\n{secret} end", limit).text


@pytest.mark.parametrize(
    "piece",
    [
        "eyJ",
        "eyJaaaaaaaa.",
        "sk-",
        "-----BEGIN PRIVATE KEY-----",
        "bearer ",
        "token=",
        "AKIA",
        "xox",
    ],
)
def test_hostile_logs_take_linear_time(piece: str) -> None:
    """Not measured: a quadratic pattern would need hours for these."""
    text = piece * (264 * 1024 // len(piece))
    assert redacted(text)


@pytest.mark.parametrize(
    ("text", "limit", "expected", "cut"),
    [
        pytest.param("a\nb\n", 1024, "a\nb\n", False, id="all-of-it"),
        pytest.param("aaaa\nbb\ncc\n", 7, "bb\ncc\n", True, id="whole-lines"),
        pytest.param("x" * 100, 10, "x" * 10, True, id="one-long-line"),
        pytest.param("é" * 10, 5, "éé", True, id="whole-characters"),
        pytest.param("a\x00\ufffe\ud800\n", 1024, "a\x00\ufffd?\n", False, id="not-i-json"),
    ],
)
def test_the_end_is_kept(text: str, limit: int, expected: str, cut: bool) -> None:
    log = kept(text, limit)
    assert (log.text, log.cut) == (expected, cut)
    ijson.check(log.to_json())


@pytest.mark.parametrize(
    "log",
    [
        pytest.param(kept("short\n"), id="as-a-value"),
        pytest.param(kept("line\n" * 9000, 256 * 1024), id="compressed"),
        pytest.param(document.unreadable("no route", pod="p", now=NOW), id="unreadable"),
    ],
)
def test_a_record_gives_it_back(log: document.KeptLog) -> None:
    body, size = document.manifest(log, REF, namespace="team")
    assert document.read(body) == log
    assert size <= max(len(log.text), 200)
    assert body["metadata"]["labels"]["waypost.dev/node"] == "scan.3"
    assert body["metadata"]["name"] == REF.record_name("Log")


def test_what_does_not_compress_is_cut() -> None:
    """A log that does not fit a record loses its beginning."""
    noise = hashlib.shake_128(b"noise").digest(1_600_000)
    text = "".join(chr(0x4E00 + byte) for byte in noise)
    body, size = document.manifest(
        document.KeptLog("p", "2026-03-01T09:00:00Z", text), REF, namespace="team"
    )
    found = document.read(body)
    assert found is not None
    assert found.cut
    assert text.endswith(found.text)
    assert size <= 1_400_000


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("", LogSettings("All", 4096), id="nothing-said"),
        pytest.param(annotation(LogPolicy(keep="Failed")), LogSettings("Failed", 4096), id="keep"),
        pytest.param(annotation(LogPolicy(max_bytes=2048)), LogSettings("All", 2048), id="less"),
        pytest.param(
            annotation(LogPolicy(max_bytes=9999)), LogSettings("All", 4096), id="not-more"
        ),
        pytest.param('{"keep": "Everything"}', LogSettings("All", 4096), id="forged"),
        pytest.param("[", LogSettings("All", 4096), id="not-json"),
    ],
)
def test_policies(text: str, expected: LogSettings) -> None:
    assert effective(text, LogSettings("All", 4096)) == expected
