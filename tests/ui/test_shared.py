"""The server for many people: with whose token it asks, and what it shows to whom."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from waypost.ui.guard import EXCHANGE, LEAVE
from waypost.ui.session import KEY_HEADER
from waypost.ui.shared import people
from waypost.ui.shared.entrance import SCOPE_HEADER, Login
from waypost.ui.shared.logins import COOKIE, LIFETIME

from tests.ui import samples
from tests.ui.crowd import Crowd, Hall, bearer, hall
from tests.ui.place import events

RUN = "/api/runs/demo/triage-4711"
READ = "get list watch"
GROUPS = "x" * 15_000  # a token with some hundred groups


@pytest.fixture
def crowd() -> Crowd:
    """Ann may change everything, Ben may read the namespace ops."""
    found = Crowd()
    found.let("ann-1", "ann", everywhere=f"{READ} patch approve")
    found.let("ben-1", "ben", ops=READ)
    found.put("agentworkflows", samples.triage())
    found.put("approvals", samples.question())
    other = samples.workflow("backup")
    other["metadata"]["namespace"] = "ops"
    found.put("agentworkflows", other)
    return found


@pytest.fixture
async def proxied(crowd: Crowd) -> AsyncIterator[Hall]:
    async with hall(crowd, login=Login.PROXY) as found:
        yield found


@pytest.fixture
async def served(crowd: Crowd) -> AsyncIterator[Hall]:
    async with hall(crowd) as found:
        yield found


# Whose token


async def test_s656_everybody_sees_with_the_own_token_only(proxied: Hall) -> None:
    ann, ben = bearer("ann-1"), bearer("ben-1", "ops")
    _, all_runs = await proxied.get("/api/runs", ann)
    assert [one["name"] for one in all_runs["items"]] == ["triage-4711", "backup"]
    assert (await proxied.get(RUN, ann))[0] == 200
    _, own = await proxied.get("/api/runs", ben)
    assert [one["name"] for one in own["items"]] == ["backup"]
    # What was read for Ann just now is not shown to Ben.
    for path in (RUN, f"{RUN}/trace", f"{RUN}/io?node=classify", "/api/approvals/demo/x"):
        status, found = await proxied.get(path, ben)
        assert status == 403, path
        assert 'User "ben" cannot get resource' in found["message"]
    status, found = await proxied.get("/api/runs", bearer("ben-1"))
    assert status == 403
    assert 'User "ben" cannot list resource "agentworkflows" at the cluster' in found["message"]
    assert "role waypost-view" in found["message"]
    lists = {(token, path) for token, path in proxied.kubernetes.seen if "agentworkflows" in path}
    whole, space = "/apis/waypost.dev/v1alpha1", "/apis/waypost.dev/v1alpha1/namespaces"
    assert ("ann-1", f"GET {whole}/agentworkflows") in lists
    assert ("ben-1", f"GET {space}/ops/agentworkflows") in lists
    assert {token for token, _ in proxied.kubernetes.seen} == {"ann-1", "ben-1"}


async def test_s656_writes_have_the_token_of_the_person(proxied: Hall) -> None:
    proxied.kubernetes.seen.clear()
    assert (await proxied.post(f"{RUN}/suspend", {}, bearer("ann-1")))[0] == 200
    assert proxied.kubernetes.get("agentworkflows", "demo", "triage-4711")["spec"]["suspend"]
    path = "/api/runs/ops/backup/cancel"
    status, found = await proxied.post(path, {}, bearer("ben-1", "ops"))
    assert status == 403
    assert 'User "ben" cannot patch resource "agentworkflows"' in found["message"]
    assert "role waypost-edit" in found["message"]
    patches = {seen for seen in proxied.kubernetes.seen if seen[1].startswith("PATCH")}
    assert {token for token, _ in patches} == {"ann-1", "ben-1"}
    assert "cancel" not in proxied.kubernetes.get("agentworkflows", "ops", "backup")["spec"]


async def test_s656_two_tokens_of_one_user_share_nothing(proxied: Hall) -> None:
    proxied.kubernetes.let("ann-2", "ann", everywhere=READ)
    for token in ("ann-1", "ann-2"):
        assert (await proxied.get("/api/runs", bearer(token)))[0] == 200
    assert len(proxied.server.people) == 2
    watches = [seen for seen in proxied.kubernetes.seen if seen[1].endswith("/agentworkflows")]
    assert {token for token, _ in watches} == {"ann-1", "ann-2"}


@pytest.mark.parametrize(
    ("login", "headers"),
    [
        pytest.param(Login.PROXY, {}, id="nothing"),
        pytest.param(Login.PROXY, {"authorization": "Basic YW5uOng="}, id="another scheme"),
        pytest.param(Login.PROXY, {"authorization": "Bearer "}, id="an empty token"),
        pytest.param(Login.PROXY, {"authorization": "Bearer ann-1 x"}, id="two words"),
        pytest.param(Login.PROXY, {"authorization": "Bearer " + "x" * 40_000}, id="very long"),
        pytest.param(Login.PROXY, {"cookie": f"{COOKIE}=x", KEY_HEADER: "x"}, id="a cookie"),
        pytest.param(Login.TOKEN, {}, id="no session"),
        pytest.param(Login.TOKEN, {"authorization": "Bearer ann-1"}, id="a header of nobody"),
        pytest.param(Login.TOKEN, {"cookie": f"{COOKIE}=x", KEY_HEADER: "x"}, id="a wrong one"),
    ],
)
async def test_s657_without_a_token_nothing_is_asked(
    crowd: Crowd, login: Login, headers: dict[str, str]
) -> None:
    async with hall(crowd, login=login) as found:
        for path in ("/api/me", "/api/runs", RUN, "/api/changes", "/api/nothing"):
            status, answer = await found.get(path, headers)
            assert (status, answer["login"]) == (401, login.value)
        assert (await found.post(f"{RUN}/cancel", {}, headers))[0] == 401
    assert crowd.seen == []


@pytest.mark.parametrize("nobody", [False, True], ids=["refused", "anonymous"])
async def test_s657_a_token_of_nobody(crowd: Crowd, nobody: bool) -> None:
    if nobody:
        crowd.let("junk", "system:anonymous", everywhere=READ)
    async with hall(crowd) as found:
        status, answer = await found.post(EXCHANGE, b"junk", {})
        assert status == 401
        assert "not authenticated" in answer["message"]
    async with hall(crowd, login=Login.PROXY) as found:
        assert (await found.get("/api/runs", bearer("junk")))[0] == 401
    assert {path for _, path in crowd.seen if "selfsubjectreviews" not in path} == set()


# Sessions


async def test_s658_a_typed_token_opens_a_session(served: Hall) -> None:
    ann = await served.log_in("ann-1")
    assert (await served.get("/api/runs", ann))[1]["total"] == 2
    _, me = await served.get("/api/me", ann)
    assert (me["user"], me["login"], me["everywhere"]) == ("ann", "token", True)
    assert me["may"] == {"change": True, "answer": True, "list": True}
    for missing in ("cookie", KEY_HEADER):
        half = {key: value for key, value in ann.items() if key != missing}
        assert (await served.get("/api/runs", half))[0] == 401
    ben = await served.log_in("ben-1", "ops")
    mixed = {**ann, KEY_HEADER: ben[KEY_HEADER]}
    assert (await served.get("/api/runs", mixed))[0] == 401
    _, me = await served.get("/api/me", ben)
    assert (me["user"], me["namespace"], me["everywhere"]) == ("ben", "ops", False)
    assert me["may"] == {"change": False, "answer": False, "list": True}


@pytest.mark.parametrize(
    ("host", "origin", "secure"),
    [
        ("localhost:8080", "http://localhost:8080", False),
        ("waypost.example", "https://waypost.example", True),
    ],
)
async def test_s658_the_cookie_is_short_and_not_for_scripts(
    crowd: Crowd, host: str, origin: str, secure: bool
) -> None:
    crowd.let(GROUPS, "ann", everywhere=READ)
    async with hall(crowd, hosts=("waypost.example",), prefix="/w") as found:
        own = {"host": host, "origin": origin}
        async with found.http.post(
            f"{found.address}{EXCHANGE}", data=GROUPS.encode(), headers=own
        ) as answer:
            assert answer.status == 200
            cookie, *attributes = answer.headers["set-cookie"].split("; ")
    assert len(cookie) < 100
    assert {"HttpOnly", "SameSite=strict", "Path=/w/"} <= set(attributes)
    assert ("Secure" in attributes) is secure


async def test_s658_a_long_token_of_a_proxy(proxied: Hall) -> None:
    proxied.kubernetes.let(GROUPS, "ann", everywhere=READ)
    headers = {**bearer(GROUPS), "cookie": "_oauth2_proxy=" + "y" * 12_000}
    assert (await proxied.get("/api/runs", headers))[0] == 200


@pytest.mark.parametrize(
    ("login", "body", "headers", "status", "words"),
    [
        (Login.TOKEN, b"", {}, 400, "expected a token"),
        (Login.TOKEN, b"two words", {}, 400, "expected a token"),
        (Login.TOKEN, b"x" * 40_000, {}, 400, "expected a token"),
        (Login.TOKEN, b"ann-1", {"origin": "https://evil.example"}, 403, "evil.example"),
        (
            Login.TOKEN,
            b"ann-1",
            {"host": "waypost.example", "origin": "http://waypost.example"},
            403,
            "use https",
        ),
        (Login.PROXY, b"ann-1", {}, 401, "at the proxy"),
    ],
)
async def test_s658_tokens_that_are_not_taken(
    crowd: Crowd, login: Login, body: bytes, headers: dict[str, str], status: int, words: str
) -> None:
    async with hall(crowd, login=login, hosts=("waypost.example",)) as found:
        answer = await found.post(EXCHANGE, body, headers)
    assert answer[0] == status
    assert words in answer[1]["message"]
    assert crowd.seen == []


async def test_s659_logging_out_ends_the_streams(served: Hall) -> None:
    ann, again = await served.log_in("ann-1"), await served.log_in("ann-1")
    await served.get("/api/runs", ann)
    async with served.http.get(f"{served.address}/api/changes", headers=ann) as stream:
        found = events(stream)
        assert (await anext(found))[0] == "ready"
        assert (await served.post(LEAVE, {}, again))[0] == 200
        assert (await served.get("/api/runs", again))[0] == 401
        assert (await served.get("/api/runs", ann))[0] == 200, "another browser's session"
        assert (await served.post(LEAVE, {}, ann))[0] == 200
        async for _ in found:
            pass
    assert (await served.get("/api/runs", ann))[0] == 401
    assert len(served.server.people) == 0


async def test_s659_a_session_lasts_twelve_hours(served: Hall) -> None:
    ann = await served.log_in("ann-1")
    served.clock.now += LIFETIME - 1
    assert (await served.get("/api/runs", ann))[0] == 200
    served.clock.now += 1
    assert (await served.get("/api/runs", ann))[0] == 401
    served.server.entrance.tidy()
    assert len(served.server.people) == 0, "its streams have ended"


async def test_s660_a_token_that_is_refused_later(served: Hall) -> None:
    """Its streams end, its lists are forgotten, and the browser asks for another one."""
    ann = await served.log_in("ann-1")
    await served.get("/api/runs", ann)
    async with served.http.get(f"{served.address}/api/changes", headers=ann) as stream:
        found = events(stream)
        assert (await anext(found))[0] == "ready"
        del served.kubernetes.users["ann-1"]
        assert (await served.get(RUN, ann))[0] == 401
        served.kubernetes.break_watches()
        async for _ in found:
            pass
    for _ in range(2):
        status, answer = await served.get("/api/runs", ann)
        assert (status, answer["login"]) == (401, "token")
    assert len(served.server.people) == 0
    served.kubernetes.users["ann-1"] = "ann"
    assert (await served.get("/api/runs", ann))[0] == 401, "the session has ended"


async def test_s660_rights_that_are_withdrawn(proxied: Hall) -> None:
    ben = bearer("ben-1", "ops")
    async with proxied.http.get(f"{proxied.address}/api/changes", headers=ben) as stream:
        found = events(stream)
        assert (await proxied.get("/api/runs", ben))[1]["total"] == 1
        proxied.kubernetes.rights["ben"] = {}
        proxied.kubernetes.break_watches()
        async for _, data in found:
            if data["problem"] and "cannot list" in data["problem"]:
                break
        status, answer = await proxied.get("/api/runs", ben)
    assert status == 403
    assert "cannot list resource" in answer["message"]


# What it costs


async def test_s661_what_nobody_looks_at_is_closed(proxied: Hall) -> None:
    ann, ben = bearer("ann-1"), bearer("ben-1", "ops")
    for who in (ann, ben):
        await proxied.get("/api/runs", who)
        await proxied.get("/api/approvals", who)
    async with proxied.http.get(f"{proxied.address}/api/changes", headers=ben) as stream:
        assert (await anext(events(stream)))[0] == "ready"
        proxied.clock.now += people.IDLE
        proxied.server.entrance.tidy()
        assert len(proxied.server.people) == 1, "Ben still follows"
        assert (await proxied.get("/api/runs", ann))[0] == 200
    assert len(proxied.server.people) == 2


async def test_s661_tabs_of_a_person_share_a_watch(proxied: Hall) -> None:
    ann = bearer("ann-1")
    url = f"{proxied.address}/api/changes"
    async with proxied.http.get(url, headers=ann) as one, proxied.http.get(url, headers=ann) as two:
        streams = [events(one), events(two)]
        for stream in streams:
            assert (await anext(stream))[0] == "ready"
        assert (await proxied.get("/api/runs", ann))[0] == 200
        run = samples.triage()
        run["status"]["progress"] = "5/8"
        proxied.kubernetes.put("agentworkflows", run)
        for stream in streams:
            async for name, data in stream:
                if name == "changed" and "demo/triage-4711" in (data.get("agentworkflows") or []):
                    break
        assert proxied.kubernetes.watches == 2, "one for runs, one for Approvals"


async def test_s661_bounds(proxied: Hall, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(people, "MOST_DESKS", 1)
    ann, ben = bearer("ann-1"), bearer("ben-1", "ops")
    assert (await proxied.get("/api/runs", ann))[0] == 200
    assert (await proxied.get("/api/runs", ben))[0] == 200, "Ann's is not in use"
    async with proxied.http.get(f"{proxied.address}/api/changes", headers=ben) as stream:
        assert (await anext(events(stream)))[0] == "ready"
        status, answer = await proxied.get("/api/runs", ann)
    assert status == 503
    assert "too many pages are open" in answer["message"]


async def test_s661_a_flood_of_tokens_is_no_flood_of_requests(
    proxied: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (await proxied.get("/api/runs", bearer("ann-1")))[0] == 200
    monkeypatch.setattr(people, "MOST_JOINING", 0)
    proxied.kubernetes.seen.clear()
    assert (await proxied.get("/api/runs", bearer("junk")))[0] == 503
    assert (await proxied.get("/api/runs", bearer("ann-1")))[0] == 200, "who is known is served"
    assert "junk" not in {token for token, _ in proxied.kubernetes.seen}


# Which requests


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        pytest.param({}, 200, id="the address of a tunnel"),
        pytest.param({"host": "localhost:1234"}, 200, id="any port of a tunnel"),
        pytest.param({"host": "W.Example"}, 200, id="its name"),
        pytest.param({"host": "evil.example"}, 421, id="a foreign name"),
        pytest.param({"host": "localhost.evil"}, 421, id="a name that begins so"),
        pytest.param({"host": "w.example", "origin": "https://w.example"}, 200, id="own"),
        pytest.param({"origin": "https://evil.example"}, 403, id="a foreign page"),
        pytest.param({"host": "localhost:80", "origin": "http://localhost:81"}, 403, id="a port"),
        pytest.param({"sec-fetch-site": "cross-site"}, 403, id="the browser says: foreign"),
        pytest.param({SCOPE_HEADER: "../x"}, 400, id="no namespace"),
    ],
)
async def test_s662_which_requests_are_answered(
    crowd: Crowd, headers: dict[str, str], status: int
) -> None:
    async with hall(crowd, login=Login.PROXY, hosts=("w.example",)) as found:
        assert (await found.get("/api/runs", {**bearer("ann-1"), **headers}))[0] == status


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        pytest.param({"origin": "https://evil.example"}, 403, id="foreign page"),
        pytest.param({"content-type": "text/plain"}, 415, id="what a form of a page can send"),
        pytest.param({"sec-fetch-site": "same-site"}, 403, id="a page of a neighbour"),
    ],
)
async def test_s662_a_page_of_another_site_changes_nothing(
    proxied: Hall, headers: dict[str, str], status: int
) -> None:
    """Behind a proxy each request has a token, whichever page has sent it."""
    answer = await proxied.post(f"{RUN}/cancel", {}, {**bearer("ann-1"), **headers})
    assert answer[0] == status
    assert "cancel" not in proxied.kubernetes.get("agentworkflows", "demo", "triage-4711")["spec"]


async def test_s662_a_read_only_server_refuses_every_write(crowd: Crowd) -> None:
    before = crowd.version
    async with hall(crowd, read_only=True) as found:
        ann = await found.log_in("ann-1")
        own = {"origin": f"http://{found.host}", "content-type": "application/json"}
        for path in (f"{RUN}/suspend", f"{RUN}/rerun", "/api/approvals/demo/x/answer", "/api/me"):
            for method in ("POST", "PUT", "PATCH", "DELETE"):
                async with found.http.request(
                    method, f"{found.address}{path}", headers={**ann, **own}
                ) as answer:
                    assert answer.status == 403
                    assert "read-only" in (await answer.json())["message"]
        assert (await found.get("/api/me", ann))[1]["readOnly"] is True
        assert (await found.post(LEAVE, {}, ann))[0] == 200
    assert crowd.version == before


async def test_s662_probes_and_pages(crowd: Crowd, tmp_path: Path) -> None:
    async with hall(crowd, static=tmp_path, prefix="/team/w") as found:
        anywhere = {"host": "10.0.0.7:8080"}

        async def ask(path: str, headers: dict[str, str]) -> int:
            async with found.http.get(f"http://{found.host}{path}", headers=headers) as answer:
                return answer.status

        assert await ask("/healthz", anywhere) == 200
        assert await ask("/readyz", anywhere) == 503, "the front-end is missing"
        (tmp_path / "index.html").write_text("page")
        assert await ask("/readyz", anywhere) == 200
        assert await found.get("/", {}) == (200, "page")
        assert await ask("/team/w", anywhere) == 421
        assert await ask("/api/runs", {}) == 404
        async with found.http.get(f"{found.address}/api/me") as answer:
            assert answer.headers["content-security-policy"].startswith("default-src 'none';")
            assert answer.headers["cache-control"] == "no-store"


async def test_an_api_server_that_does_not_answer(crowd: Crowd) -> None:
    async with hall(crowd, login=Login.PROXY) as found:
        found.server._options = type(found.server._options)(server="http://127.0.0.1:9")
        status, answer = await found.get("/api/runs", bearer("ann-1"))
    assert status == 502
    assert "cannot reach the cluster" in answer["message"]


async def test_people_who_come_at_the_same_time_are_asked_for_once(proxied: Hall) -> None:
    found = await asyncio.gather(*(proxied.get("/api/me", bearer("ann-1")) for _ in range(5)))
    assert {status for status, _ in found} == {200}
    assert len(proxied.server.people) == 1


async def test_names_of_offered_namespaces(crowd: Crowd) -> None:
    async with hall(crowd, login=Login.PROXY, namespaces=("ops", "demo")) as found:
        _, me = await found.get("/api/me", bearer("ben-1"))
    assert me["namespaces"] == ["demo", "ops"]
    assert me["may"]["list"] is False
    assert json.dumps(me).count("ann") == 0
