"""What does not fit a commit record or a request, and the gateway that keeps it."""

import json
import signal
import socket
import time
from typing import Any

import pytest
from waypost.protocol import ijson
from waypost.protocol.reasons import Reason
from waypost.protocol.record import LIMIT, Attempt, CommitRecord, Stored, uncut_size
from waypost.protocol.work import Trace
from waypost_node import gateway, result_store

from tests.runner.bench import ENDS_WITHIN, WHOSE, Bench
from tests.runner.servers import Reply, serving

BIG = "def run(): return {'text': 'x' * 300_000}"
OUTPUT = {"text": "x" * 300_000}
KEPT = Reply(201)


@pytest.fixture
def token(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "token").write_text("pod-token\n")
    monkeypatch.setenv("WAYPOST_TOKEN", str(tmp_path / "token"))


def test_a_big_output_is_stored_and_the_record_says_so(bench: Bench) -> None:
    with serving(KEPT) as server:
        ended = bench.run(BIG, gateway=server.url)
    canonical = ijson.canonical(OUTPUT)
    assert ended.code == 0
    assert ended.record.stored == Stored(ijson.digest(OUTPUT), len(canonical))
    assert ended.record.output is None
    [asked] = server.asked
    assert (asked.method, asked.target, asked.body) == ("PUT", "/v1/payloads/result", canonical)
    assert asked.headers["waypost-digest"] == ijson.digest(OUTPUT)
    assert asked.headers["authorization"] == "Bearer pod-token"
    assert len(ended.message.encode()) < LIMIT


def test_an_output_that_fits_needs_no_gateway(bench: Bench) -> None:
    with serving(KEPT) as server:
        ended = bench.run("def run(): return 'x' * 3000", gateway=server.url)
    assert (len(ended.record.output), server.asked) == (3000, [])


@pytest.mark.parametrize(
    ("first", "reason"),
    [
        pytest.param(Reply(503), "a gateway that starts again", id="503"),
        pytest.param(Reply(429, b"", (("Retry-After", "1"),)), "or is busy", id="429"),
        pytest.param(Reply(401), "a token that the kubelet is about to renew", id="401"),
        pytest.param(Reply(drop=True), "or goes away in mid-upload", id="drop"),
    ],
)
def test_an_upload_is_tried_again(bench: Bench, first: Reply, reason: str) -> None:
    with serving(first, KEPT) as server:
        ended = bench.run(BIG, gateway=server.url, timeout=90)
    assert ended.record.stored is not None, (reason, ended)
    assert [asked.body for asked in server.asked] == [ijson.canonical(OUTPUT)] * 2, reason


@pytest.mark.parametrize(
    ("reply", "expected", "fragment", "reason", "timeout"),
    [
        pytest.param(
            Reply(413, b'{"reason": "TooLarge", "message": "the limit is 1 MiB; set s3"}'),
            Reason.OUTPUT_TOO_LARGE,
            "413: the limit is 1 MiB; set s3",
            "the gateway knows its limit and what to configure",
            90,
            id="too-large",
        ),
        pytest.param(
            Reply(403, b"attempt 1 is not current"),
            Reason.RESULT_LOST,
            "403: attempt 1 is not current",
            "what is refused stays refused",
            90,
            id="sealed",
        ),
        pytest.param(
            Reply(500, b"no disk"),
            Reason.RESULT_LOST,
            "gave up at the deadline; last error: 500: no disk",
            "there is an end to trying",
            8,
            id="never-in-time",
        ),
    ],
)
def test_an_output_that_is_not_stored_has_a_reason(
    bench: Bench, reply: Reply, expected: Reason, fragment: str, reason: str, timeout: float
) -> None:
    with serving(reply) as server:
        ended = bench.run(BIG, gateway=server.url, timeout=timeout)
    assert ended.code == 1
    assert ended.record.reason == expected, (reason, ended.record)
    assert fragment in (ended.record.message or ""), reason
    assert "pod-token" not in ended.message + ended.stderr


def test_without_a_gateway_the_user_is_told_what_to_configure(bench: Bench) -> None:
    record = bench.run(BIG).record
    assert record.reason == Reason.OUTPUT_TOO_LARGE
    assert "gateway.enabled" in (record.message or "")


def test_an_output_that_breaks_its_schema_is_not_stored(bench: Bench) -> None:
    with serving(KEPT) as server:
        ended = bench.run(BIG, gateway=server.url, output_schema={"type": "string"})
    assert (ended.record.reason, server.asked) == (Reason.OUTPUT_INVALID, [])


def test_a_forked_copy_that_runs_on_stores_nothing(bench: Bench) -> None:
    source = """
    import os
    def run():
        child = os.fork()
        if child: os.waitpid(child, 0)
        return ("mine" if child else "copy") * 2000
    """
    with serving(KEPT) as server:
        assert bench.run(source, gateway=server.url).record.stored is not None
    assert [asked.body[:5] for asked in server.asked] == [b'"mine']


def test_a_finished_result_is_still_kept_after_sigterm(bench: Bench) -> None:
    with serving(Reply(503), Reply(503), KEPT) as server:
        process = bench.start(BIG, gateway=server.url, timeout=90)
        _until(lambda: server.asked)
        process.send_signal(signal.SIGTERM)
        ended = bench.finish(process)
    assert (ended.code, ended.record.stored is not None) == (0, True)


def test_a_timeout_holds_while_a_result_is_kept(bench: Bench) -> None:
    with serving(Reply(hang=True)) as server:
        ended = bench.run(BIG, gateway=server.url, timeout=3)
    assert ended.record.reason == Reason.TIMEOUT


def _until(true: Any) -> None:
    deadline = time.monotonic() + ENDS_WITHIN
    while not true() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert true()


INPUTS = {"pages": ["ü" * 1000] * 3}
STORED = {"stored_inputs": ijson.digest(INPUTS)}


def test_stored_inputs_are_fetched_before_the_node_runs(bench: Bench) -> None:
    source = """
    from waypost_node import inputs
    def run(pages): return [len(pages), inputs["pages"] == pages]
    """
    with serving(Reply(503), Reply(body=ijson.canonical(INPUTS))) as server:
        ended = bench.run(source, gateway=server.url, timeout=90, **STORED)
    assert ended.record.output == [3, True]
    assert [asked.target for asked in server.asked] == ["/v1/payloads/input"] * 2, "fetched once"


@pytest.mark.parametrize(
    ("reply", "fragment"),
    [
        pytest.param(Reply(404, b"no such payload"), "404: no such payload", id="missing"),
        pytest.param(Reply(body=b'{"pages": []}'), f"expected {STORED['stored_inputs']}", id="odd"),
        pytest.param(Reply(body=b"<html>"), "not JSON", id="no-json"),
    ],
)
def test_inputs_that_cannot_be_had_are_no_fault_of_the_node(
    bench: Bench, reply: Reply, fragment: str
) -> None:
    with serving(reply) as server:
        ended = bench.run("def run(pages): pass", gateway=server.url, timeout=90, **STORED)
    assert ended.record.reason == Reason.DISRUPTED
    assert fragment in (ended.record.message or "")


def trace_of(entries: int) -> Trace:
    trace = Trace()
    for number in range(entries):
        at = f"2026-01-01T00:00:00.{number:03}Z"
        trace.add("tool", start=at, end=at, name="search", callId=f"c{number}", outcome="ok")
    return trace


def traced(trace: Trace | None, **how: Any) -> CommitRecord:
    record = CommitRecord(WHOSE, "Succeeded", {"n": 1})
    return result_store.keep_trace(record, trace, **{"deadline": time.monotonic() + 60, **how})


def test_a_short_trace_rides_in_the_record() -> None:
    trace = trace_of(3)
    assert traced(trace, gateway=None).trace is trace


def test_no_trace_is_no_news() -> None:
    assert (traced(None, gateway=None).trace, traced(Trace(), gateway=None).trace) == (None, None)


@pytest.mark.usefixtures("token")
def test_a_long_trace_is_stored() -> None:
    trace = trace_of(200)
    with serving(KEPT) as server:
        assert traced(trace, gateway=server.url).trace is True
    assert json.loads(server.asked[0].body) == trace.to_json()
    assert server.asked[0].target == "/v1/payloads/trace"


@pytest.mark.usefixtures("token")
@pytest.mark.parametrize(
    ("trace", "reply"),
    [
        pytest.param(trace_of(200), Reply(413), id="too-large"),
        pytest.param(trace_of(200), Reply(500), id="no-gateway"),
    ],
)
def test_a_lost_trace_costs_no_result(
    trace: Trace, reply: Reply, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving(reply) as server:
        record = traced(trace, gateway=server.url, deadline=time.monotonic() + 3)
    assert (record.outcome, record.trace) == ("Succeeded", False)
    assert "the trace is lost" in capsys.readouterr().err


def test_a_trace_that_is_no_json_costs_no_result(capsys: pytest.CaptureFixture[str]) -> None:
    trace = Trace()
    trace.add("tool", start="", end="", name=object())
    assert traced(trace, gateway=None).trace is False
    assert "object is not a JSON type" in capsys.readouterr().err


@pytest.mark.usefixtures("token")
def test_a_renewed_token_is_read(tmp_path: Any) -> None:
    with serving(Reply(401), KEPT) as server:
        client = gateway.Gateway(server.url, deadline=time.monotonic() + 60)
        client.put("result", b"1", digest=ijson.digest(1))
        (tmp_path / "token").write_text("renewed")
        client.put("result", b"1", digest=ijson.digest(1))
    assert [asked.headers["authorization"][7:] for asked in server.asked] == [
        "pod-token",
        "pod-token",
        "renewed",
    ]


@pytest.mark.usefixtures("token")
def test_a_gateway_that_is_not_there_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(gateway.GatewayError, match=f"the result at the gateway {url}: gave up"):
            gateway.Gateway(url, deadline=time.monotonic()).put("result", b"1", digest="d")


def test_a_missing_token_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAYPOST_TOKEN", "/nowhere")
    with pytest.raises(gateway.GatewayError, match="cannot read the token"):
        gateway.Gateway("http://127.0.0.1:1", deadline=time.monotonic() + 60).get(
            "input", digest=""
        )


def test_the_limit_of_a_record_is_the_limit_of_what_rides_in_it() -> None:
    ref = Attempt("u", "p", 1, 1, "pod")
    room = LIMIT - uncut_size(CommitRecord(ref, "Succeeded", "")) - 5
    for length in range(room, room + 12):
        record = CommitRecord(ref, "Succeeded", "x" * length)
        fits = uncut_size(record) < LIMIT
        if fits:
            assert result_store.keep_output(record, gateway=None, deadline=0.0) is record
        else:
            with pytest.raises(result_store.Unkept):
                result_store.keep_output(record, gateway=None, deadline=0.0)
