"""The server: which requests it answers, what it serves, what it passes on, and what it follows."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from waypost.ports.cluster import Kind
from waypost.ui.server import Options
from waypost.ui.session import KEY_HEADER
from yarl import URL

from tests.ui import samples
from tests.ui.kubernetes import Kubernetes, Obj
from tests.ui.place import Place, events, place

RUN = "/api/runs/demo/triage-4711"
QUESTION = "/api/approvals/demo/triage-4711-approve-refund"
DIGEST = "sha256:" + "a" * 64
ANSWER = {"amount": 49, "channel": "email"}


@pytest.fixture
def kubernetes() -> Kubernetes:
    found = Kubernetes()
    found.put("agentworkflows", samples.triage())
    found.put("approvals", samples.question())
    for other in samples.others():
        found.put("agentworkflows", other)
    return found


@pytest.fixture
async def served(kubernetes: Kubernetes, tmp_path: Path) -> AsyncIterator[Place]:
    async with place(kubernetes, tmp_path) as found:
        yield found


def operator(kind: str, body: Obj) -> Obj | None:
    """Records an answer, as the operator does."""
    decision = body["spec"].get("decision")
    if kind != "approvals" or not decision:
        return None
    by = body["spec"]["decidedBy"]
    return {**body, "status": {"state": decision, "decidedBy": by, "decidedAt": samples.at(200)}}


# The guard


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        pytest.param({}, 200, id="a page of this server"),
        pytest.param({"host": "evil.example"}, 421, id="a name that resolves to this machine"),
        pytest.param({"host": "127.0.0.1:1"}, 421, id="another port"),
        pytest.param({"origin": "https://evil.example"}, 403, id="a foreign page"),
        pytest.param({"origin": "http://127.0.0.1:1"}, 403, id="a page of another port"),
        pytest.param({"origin": "null"}, 403, id="a sandboxed page"),
        pytest.param({"sec-fetch-site": "cross-site"}, 403, id="the browser says: foreign"),
        pytest.param({"sec-fetch-site": "same-site"}, 403, id="the browser says: another port"),
        pytest.param({"sec-fetch-site": "same-origin"}, 200, id="the browser says: own"),
        pytest.param({"cookie": ""}, 401, id="no cookie"),
        pytest.param({KEY_HEADER: ""}, 401, id="the cookie alone, as another port gets it"),
        pytest.param({KEY_HEADER: "x"}, 401, id="a wrong key"),
        pytest.param({"cookie": 'waypost-ui=%ff"; ;;=', KEY_HEADER: "x"}, 401, id="junk"),
    ],
)
async def test_s510_which_requests_are_answered(
    served: Place, headers: dict[str, str], status: int
) -> None:
    assert (await served.get("/api/runs", **headers))[0] == status


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        pytest.param({}, 200, id="own page"),
        pytest.param({"origin": "https://evil.example"}, 403, id="foreign page"),
        pytest.param({"content-type": "text/plain"}, 415, id="what a form of a page can send"),
        pytest.param({KEY_HEADER: ""}, 401, id="no key"),
    ],
)
async def test_s510_a_write_needs_the_session_of_this_page(
    served: Place, headers: dict[str, str], status: int
) -> None:
    assert (await served.post(f"{RUN}/suspend", {}, **headers))[0] == status
    spec = served.kubernetes.get("agentworkflows", "demo", "triage-4711")["spec"]
    assert spec.get("suspend", False) is (status == 200)


async def test_s510_a_write_without_an_origin_is_refused(served: Place) -> None:
    given = {**served.headers, "content-type": "application/json"}
    async with served.http.post(f"{served.address}{RUN}/cancel", headers=given) as answer:
        assert answer.status == 403


async def test_s511_the_link_works_once(served: Place) -> None:
    secret = (served.sessions.secret or "").encode()
    served.headers = {}
    assert (await served.post("/api/session", b"wrong"))[0] == 401
    assert (await served.post("/api/session", b"x" * 10_000))[0] == 401
    own = {"origin": f"http://{served.host}"}
    async with served.http.post(
        f"{served.address}/api/session", data=secret, headers=own
    ) as answer:
        assert answer.status == 200
        set_cookie = answer.headers["set-cookie"]
        key = (await answer.json())["key"]
    assert "HttpOnly" in set_cookie
    assert "SameSite=strict" in set_cookie
    cookie = set_cookie.partition(";")[0]
    assert (await served.get("/api/runs", cookie=cookie, **{KEY_HEADER: key}))[0] == 200
    status, body = await served.post("/api/session", secret)
    assert status == 401
    assert "start `waypost ui` again" in body["message"]


async def test_s510_every_answer_has_the_headers_of_security(served: Place) -> None:
    for path in ("/", "/api/runs", "/api/nothing", "/assets/../../secret"):
        async with served.http.get(f"{served.address}{path}", headers=served.headers) as answer:
            assert answer.headers["content-security-policy"].startswith("default-src 'none';")
            assert "unsafe" not in answer.headers["content-security-policy"]
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert "access-control-allow-origin" not in answer.headers


async def test_s512_a_read_only_server_refuses_every_write(
    kubernetes: Kubernetes, tmp_path: Path
) -> None:
    before = kubernetes.version
    async with place(kubernetes, tmp_path, Options(read_only=True)) as served:
        for path in (f"{RUN}/suspend", f"{RUN}/cancel", f"{QUESTION}/answer", "/api/me"):
            for method in ("POST", "PUT", "PATCH", "DELETE"):
                own = {"origin": f"http://{served.host}", "content-type": "application/json"}
                async with served.http.request(
                    method, f"{served.address}{path}", headers={**served.headers, **own}
                ) as answer:
                    assert answer.status == 403
                    assert "read-only" in (await answer.json())["message"]
        assert (await served.get("/api/me"))[1]["readOnly"] is True
    assert kubernetes.version == before


async def test_s513_all_of_it_below_a_prefix(kubernetes: Kubernetes, tmp_path: Path) -> None:
    async with place(kubernetes, tmp_path, Options(prefix="/team/waypost")) as served:
        assert (await served.get("/api/runs"))[0] == 200
        async with served.http.get(
            f"http://{served.host}/team/waypost", allow_redirects=False
        ) as answer:
            assert (answer.status, answer.headers["location"]) == (307, "/team/waypost/")
        async with served.http.get(
            f"http://{served.host}/api/runs", headers=served.headers
        ) as answer:
            assert answer.status == 404


async def test_a_name_of_a_proxy(kubernetes: Kubernetes, tmp_path: Path) -> None:
    async with place(kubernetes, tmp_path, Options(hosts=("Box.example",))) as served:
        status, _ = await served.get("/api/runs", host="box.example", origin="https://box.example")
        assert status == 200


# What it serves


async def test_the_list_newest_first_with_counts(served: Place) -> None:
    status, found = await served.get("/api/runs")
    assert status == 200
    names = [one["name"] for one in found["items"]]
    assert names[:2] == ["triage-4711", "research-brief-eu-ai-act"]
    assert found["counts"] == {
        "Cancelled": 1, "Failed": 1, "Rejected": 1, "Running": 1, "Succeeded": 4, "Waiting": 1,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("query", "names", "total"),
    [
        ("phase=Failed", ["nightly-invoices-28"], 1),
        ("phase=Failed&phase=Rejected", ["typo-in-spec", "nightly-invoices-28"], 2),
        ("q=NIGHTLY", ["nightly-invoices-29", "nightly-invoices-28"], 2),
        ("limit=2&offset=1&phase=Succeeded", ["triage-4710", "release-notes-1-4-2"], 4),
        ("namespace=other", [], 0),
        ("template=nightly-invoices&phase=Failed", ["nightly-invoices-28"], 1),
        ("template=nightly", [], 0),
        ("label=team", ["hello", "typo-in-spec"], 2),
        ("label=team%3Dbilling", ["typo-in-spec"], 1),
        ("label=team%3Dbilling&label=tier", [], 0),
        ("since=5m", ["hello"], 1),
        ("since=7d&label=team", ["hello", "typo-in-spec"], 2),
        ("since=5m&label=team%3Dbilling", [], 0),
    ],
)
async def test_s770_filters_of_the_list(
    kubernetes: Kubernetes, tmp_path: Path, query: str, names: list[str], total: int
) -> None:
    """All runs of the sample are older than five minutes, except `hello`."""
    for name, team in (("hello", "search"), ("typo-in-spec", "billing")):
        run = kubernetes.get("agentworkflows", "demo", name)
        run["metadata"]["labels"] = {"team": team, "team-lead": "x"}
    now = kubernetes.get("agentworkflows", "demo", "hello")["metadata"]
    now["creationTimestamp"] = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    async with place(kubernetes, tmp_path) as served:
        _, found = await served.get(f"/api/runs?{query}")
    assert [one["name"] for one in found["items"]] == names
    assert found["total"] == total


@pytest.mark.parametrize("since", ["1", "h", "1w", "-1h", "0h", "1.5h", "100000d", "١h"])
async def test_s770_a_time_that_is_none(served: Place, since: str) -> None:
    status, found = await served.get(f"/api/runs?since={since}")
    assert status == 400
    assert f"since: expected a time such as 90m, 24h or 7d, found '{since}'" in found["message"]


@pytest.mark.parametrize("query", ["limit=x", "offset=-1", "limit=99999999999"])
async def test_a_number_that_is_none(served: Place, query: str) -> None:
    status, found = await served.get(f"/api/runs?{query}")
    assert status == 400
    assert "expected a number" in found["message"]


async def test_a_run_with_its_graph(served: Place) -> None:
    _, found = await served.get(RUN)
    assert found["run"]["name"] == "triage-4711"
    assert found["suspended"] is False
    edges = [(one["from"], one["to"]) for one in found["graph"]["edges"]]
    assert ("draft_reply", "approve_refund") in edges


async def test_inputs_and_output_only_when_asked_for(served: Place) -> None:
    _, page = await served.get(RUN)
    assert "You charged me twice" not in json.dumps(page)
    _, found = await served.get(f"{RUN}/io?node=classify")
    assert found["inputs"] == {"message": "You charged me twice for October."}
    assert found["output"] == {"category": "billing", "urgency": 4}


async def test_a_run_as_yaml(served: Place) -> None:
    status, shown = await served.get(f"{RUN}/manifest")
    assert status == 200
    run = samples.triage()
    assert yaml.safe_load(shown["manifest"])["spec"] == run["spec"]
    assert yaml.safe_load(shown["status"]) == run["status"]
    assert (await served.get("/api/runs/demo/nothing/manifest"))[0] == 404
    assert (await served.get("/api/runs/other/x/manifest"))[0] == 404, "only what is shown"


async def test_who_i_am_and_what_i_may(served: Place) -> None:
    served.kubernetes.may = {"approve"}
    _, found = await served.get("/api/me")
    assert (found["user"], found["may"]) == (
        "ann",
        {"change": False, "answer": True, "list": False},
    )


async def test_s754_what_i_may_and_whether_the_installation_works(served: Place) -> None:
    served.kubernetes.may = {"patch"}
    status, found = await served.get("/api/checks")
    assert status == 200
    results = {one["check"]: (one["result"], one["text"]) for one in found["checks"]}
    assert results["you may rerun and cancel"] == ("ok", "yes")
    role = "no; role waypost-approver grants it"
    assert results["you may answer approvals"] == ("warning", role)
    assert results["user"] == ("ok", "ann")
    assert results["AgentWorkflow"] == ("ok", "served; in namespace demo: exist")
    assert results["policy on Approvals"][0] == "warning"


async def test_s754_checks_of_all_namespaces(kubernetes: Kubernetes, tmp_path: Path) -> None:
    async with place(kubernetes, tmp_path, Options(everywhere=True)) as served:
        _, found = await served.get("/api/checks")
    texts = {one["check"]: one["text"] for one in found["checks"]}
    assert texts["AgentWorkflow"] == "served; in all namespaces: exist"


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/api/runs/demo/nothing", 404, "no AgentWorkflow 'nothing'"),
        ("/api/runs/other/triage-4711", 404, "only namespace demo is shown"),
        (f"{RUN}/io?node=nothing", 409, "no node 'nothing'"),
        ("/api/approvals/demo/nothing", 404, "no Approval 'nothing'"),
        ("/api/nothing", 404, "no such address"),
    ],
)
async def test_what_is_not_there(served: Place, path: str, status: int, words: str) -> None:
    found = await served.get(path)
    assert found[0] == status
    assert words in found[1]["message"]


async def test_a_missing_right_is_said(kubernetes: Kubernetes, tmp_path: Path) -> None:
    kubernetes.denied = {"list agentworkflows"}
    async with place(kubernetes, tmp_path) as served:
        status, found = await served.get("/api/runs")
        assert status == 403
        assert "role waypost-view" in found["message"]


async def test_without_a_front_end_it_says_how_to_build_it(
    kubernetes: Kubernetes, tmp_path: Path
) -> None:
    async with place(kubernetes, tmp_path, Options(static=tmp_path / "none")) as served:
        status, found = await served.get("/")
        assert status == 503
        assert "make ui" in found
        assert (await served.get("/api/runs"))[0] == 200


async def test_files_are_looked_up_and_never_joined(kubernetes: Kubernetes, tmp_path: Path) -> None:
    static = tmp_path / "static"
    (static / "assets").mkdir(parents=True)
    (static / "index.html").write_text("page")
    (static / "assets/a.js").write_text("script")
    (tmp_path / "secret").write_text("secret")
    async with place(kubernetes, tmp_path, Options(static=static)) as served:
        assert await served.get("/") == (200, "page")
        assert await served.get("/assets/a.js") == (200, "script")
        for path in ("/../secret", "/%2e%2e/secret", "/assets/..%2f..%2fsecret", "/assets"):
            async with served.http.get(URL(f"{served.address}{path}", encoded=True)) as answer:
                assert answer.status == 404


# What it passes on


async def test_s514_an_answer_in_the_name_of_the_user(served: Place) -> None:
    served.kubernetes.on_patch = operator
    _, asked = await served.get(QUESTION)
    assert [one["path"] for one in asked["then"]] == ["refund", "send_reply"]
    body = {"decision": "Approved", "digest": DIGEST, "answer": ANSWER, "reason": "seen both"}
    assert await served.post(f"{QUESTION}/answer", body) == (
        200,
        {"message": "triage-4711-approve-refund is Approved by ann"},
    )
    spec = served.kubernetes.get("approvals", "demo", "triage-4711-approve-refund")["spec"]
    assert spec["decidedBy"] == "ann"
    assert spec["decidedDigest"] == DIGEST
    assert (spec["answer"], spec["reason"]) == (ANSWER, "seen both")
    status, again = await served.post(f"{QUESTION}/answer", body)
    assert status == 409
    assert "is Approved: it was answered" in again["message"]


@pytest.mark.parametrize(
    ("change", "status", "words"),
    [
        ({"digest": "sha256:other"}, 409, "has changed since it was shown"),
        ({"digest": None}, 409, "has changed since it was shown"),
        ({"decision": "Perhaps"}, 400, "expected one of Approved, Denied"),
        ({"answer": {"amount": -1}}, 400, "answer: "),
        ({"answer": None}, 400, "answer: "),
        ({"reason": 3}, 400, "reason: expected a text"),
        ({"decidedBy": "eve"}, 400, "unknown field 'decidedBy'"),
    ],
)
async def test_s514_answers_that_are_refused(
    served: Place, change: Obj, status: int, words: str
) -> None:
    body = {"decision": "Approved", "digest": DIGEST, "answer": ANSWER, **change}
    found = await served.post(f"{QUESTION}/answer", body)
    assert found[0] == status
    assert words in found[1]["message"]
    spec = served.kubernetes.get("approvals", "demo", "triage-4711-approve-refund")["spec"]
    assert "decision" not in spec


async def test_s514_the_words_of_the_api_server(served: Place) -> None:
    served.kubernetes.denied = {"patch approvals"}
    body = {"decision": "Denied", "digest": DIGEST}
    status, found = await served.post(f"{QUESTION}/answer", body)
    assert status == 403
    assert "cannot patch resource approvals" in found["message"]
    assert "waypost-approver" in found["message"]


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{", b'"x"', b"[" + b"1," * 600_000 + b"1]"],
    ids=lambda body: repr(body[:5]),
)
async def test_bodies_that_are_no_answer(served: Place, body: bytes) -> None:
    status, _ = await served.post(f"{QUESTION}/answer", body)
    assert status in (400, 413)


@pytest.mark.parametrize(
    ("switch", "fields"),
    [
        ("suspend", {"suspend": True}),
        ("resume", {"suspend": False}),
        ("cancel", {"cancel": True}),
    ],
)
async def test_switches(served: Place, switch: str, fields: Obj) -> None:
    assert (await served.post(f"{RUN}/{switch}", {}))[0] == 200
    spec = served.kubernetes.get("agentworkflows", "demo", "triage-4711")["spec"]
    assert {key: spec[key] for key in fields} == fields


@pytest.mark.parametrize(("uid", "status"), [("uid-1", 200), ("uid-0", 409)])
async def test_s632_a_switch_of_the_run_that_was_shown(
    served: Place, uid: str, status: int
) -> None:
    code, answer = await served.post(f"{RUN}/cancel", {"uid": uid})
    assert code == status
    assert ("created again" in answer["message"]) is (status == 409)
    spec = served.kubernetes.get("agentworkflows", "demo", "triage-4711")["spec"]
    assert spec.get("cancel", False) is (status == 200)


async def test_s632_a_run_that_is_replaced_at_the_last_moment(served: Place) -> None:
    """The API server compares too, in the patch."""
    other = samples.workflow("triage-4711", uid="uid-9")
    served.kubernetes.before_patch = lambda: served.kubernetes.put("agentworkflows", other)
    code, _ = await served.post(f"{RUN}/cancel", {"uid": "uid-1"})
    assert code == 409
    assert "cancel" not in served.kubernetes.get("agentworkflows", "demo", "triage-4711")["spec"]


async def test_an_unknown_switch(served: Place) -> None:
    assert (await served.post(f"{RUN}/explode", {}))[0] == 404


# What it follows


async def changed(stream: AsyncIterator[tuple[str, Any]], plural: str) -> Any:
    async for name, data in stream:
        if name == "changed" and plural in data:
            return data[plural]
    raise AssertionError("the stream has ended")


async def test_s515_changes_reach_every_browser_by_one_watch(served: Place) -> None:
    await served.get("/api/runs")
    url = f"{served.address}/api/changes"
    async with (
        served.http.get(url, headers=served.headers) as first,
        served.http.get(url, headers=served.headers) as second,
    ):
        streams = [events(first), events(second)]
        for stream in streams:
            assert (await anext(stream))[0] == "ready"
        run = samples.triage()
        run["status"]["progress"] = "5/8"
        served.kubernetes.put("agentworkflows", run)
        for stream in streams:
            assert await changed(stream, "agentworkflows") == ["demo/triage-4711"]
        assert (await served.get(RUN))[1]["run"]["progress"] == "5/8"
        served.kubernetes.remove("agentworkflows", "demo", "hello")
        assert await changed(streams[0], "agentworkflows") == ["demo/hello"]
        assert "hello" not in json.dumps((await served.get("/api/runs"))[1])
        assert served.kubernetes.watches == 2, "one for runs, one for Approvals"


async def test_s515_an_interrupted_watch_continues(served: Place) -> None:
    await served.get("/api/runs")
    async with served.http.get(f"{served.address}/api/changes", headers=served.headers) as answer:
        stream = events(answer)
        served.kubernetes.break_watches()
        served.kubernetes.put("agentworkflows", samples.workflow("while-it-was-cut"))
        assert await changed(stream, "agentworkflows") == ["demo/while-it-was-cut"]
        # A version that the API server does not know any more: the list is read again.
        served.kubernetes.oldest = served.kubernetes.version + 1
        served.kubernetes.version += 2
        served.kubernetes.log.clear()
        served.kubernetes.objects.pop(("agentworkflows", "demo", "hello"))
        served.kubernetes.break_watches()
        assert await changed(stream, "agentworkflows") == ["demo/hello"]


async def test_s515_without_the_right_to_watch_it_lists(
    kubernetes: Kubernetes, tmp_path: Path
) -> None:
    kubernetes.denied = {"watch agentworkflows"}
    async with place(kubernetes, tmp_path) as served:
        assert (await served.get("/api/runs"))[1]["total"] == 9
        async with served.http.get(
            f"{served.address}/api/changes", headers=served.headers
        ) as answer:
            async for _, data in events(answer):
                if data["problem"]:
                    assert "cannot watch resource" in data["problem"]
                    break
            kubernetes.put("agentworkflows", samples.workflow("new"))
            assert await changed(events(answer), "agentworkflows") in ([], ["demo/new"])


async def test_browsers_share_the_requests_for_a_run(served: Place) -> None:
    await served.get("/api/runs")
    served.kubernetes.asked.clear()
    found = await asyncio.gather(*(served.get(RUN) for _ in range(10)))
    assert all(one == found[0] for one in found)
    assert served.kubernetes.asked.count("get agentworkflows triage-4711") == 1


async def test_a_row_that_cannot_be_read_hides_no_other(
    kubernetes: Kubernetes, tmp_path: Path
) -> None:
    broken = samples.question()
    broken["metadata"]["name"] = "broken"
    broken["spec"]["approvers"] = "all"
    kubernetes.put("approvals", broken)
    async with place(kubernetes, tmp_path) as served:
        _, found = await served.get("/api/approvals")
        assert len(found["items"]) == 2
        assert served.server.feed.tables[Kind.APPROVAL].problem is None
