"""The web interface on a real API server: each person with the documented roles only."""

import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPResponse
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from e2e.suite.build import workflow
from e2e.suite.people import Person, account
from e2e.suite.space import Space
from e2e.suite.waiting import until

LINK = re.compile(r"(http://127\.0\.0\.1:\d+)/#token=(\S+)")


@dataclass
class Site:
    """A server that a person has started, and a browser's session with it."""

    address: str
    headers: dict[str, str]

    def ask(self, path: str, body: Any = None) -> tuple[int, Any]:
        try:
            with self.send(path, body) as answer:
                return answer.status, json.load(answer)
        except HTTPError as error:
            with error:
                return error.code, json.load(error)

    def send(self, path: str, body: Any = None) -> HTTPResponse:
        data = None if body is None else json.dumps(body).encode()
        own = {"content-type": "application/json", "origin": self.address}
        request = Request(f"{self.address}/api/{path}", data, {**self.headers, **own})
        found = urlopen(request, timeout=60)
        assert isinstance(found, HTTPResponse)
        return found


@contextmanager
def site(person: Person) -> Iterator[Site]:
    """`waypost ui` of this person."""
    argv = ["ui", "--no-browser", "--kubeconfig", str(person.kubeconfig)]
    with subprocess.Popen(
        [sys.executable, "-m", "waypost", *argv], stdout=subprocess.PIPE, text=True
    ) as program:
        try:
            assert program.stdout is not None
            found = LINK.search(program.stdout.readline())
            assert found, "the command prints a link"
            address, secret = found.groups()
            link = Request(f"{address}/api/session", secret.encode(), headers={"origin": address})
            with urlopen(link, timeout=60) as answer:
                cookie = answer.headers["set-cookie"].partition(";")[0]
                key = json.load(answer)["key"]
            yield Site(address, {"cookie": cookie, "x-waypost-key": key})
        finally:
            program.send_signal(signal.SIGINT)
            program.wait(20)
    assert program.returncode == 0


def changed(stream: HTTPResponse, plural: str, name: str) -> None:
    """Wait until the stream names this object."""
    for line in stream:
        if line.startswith(b"data: ") and name in str(json.loads(line[6:]).get(plural)):
            return
    raise AssertionError("the stream has ended")


def test_a_question_is_seen_and_answered_in_a_browser(
    space: Space, people: dict[str, Person]
) -> None:
    gate = {"approvers": {"users": [account(space, "bert")]}}
    declared = (
        workflow("shown")
        .python("draft", "return {'title': topic}", inputs={"topic": "tides"})
        .approval("review", gate=gate, dependsOn=["draft"])
        .python("publish", "return 'done'", dependsOn=["review"])
    )
    with site(people["bert"]) as bert, site(people["gail"]) as gail:
        assert bert.ask("runs")[1]["total"] == 0
        with bert.send("changes") as stream:
            run = space.start(declared)
            changed(stream, "agentworkflows", run.name)
            name = run.opened("review")
            changed(stream, "approvals", name)
        gives(bert, gail, space, name, run.name)
        run.succeeded()
        until(
            lambda: bert.ask(f"runs/{space.name}/{run.name}")[1]["run"]["phase"] == "Succeeded",
            what="the page shows the end",
            within=10,
        )


def gives(bert: Site, gail: Site, space: Space, name: str, run: str) -> None:
    """Bert answers; Gail may look, and the API server refuses her answer."""
    path = f"approvals/{space.name}/{name}"
    _, asked = bert.ask(path)
    assert [one["path"] for one in asked["then"]] == ["publish"]
    assert bert.ask("me")[1]["may"] == {"answer": True, "change": False, "list": True}
    assert gail.ask("me")[1]["may"] == {"answer": False, "change": False, "list": True}
    given = {"decision": "Approved", "digest": asked["digest"]}
    code, refused = gail.ask(f"{path}/answer", given)
    assert code == 403, refused
    assert "waypost-approver" in refused["message"]
    _, page = gail.ask(f"runs/{space.name}/{run}")
    assert [one["phase"] for one in page["run"]["nodes"]] == ["Succeeded", "Waiting", "Pending"]
    _, shown = gail.ask(f"runs/{space.name}/{run}/io?node=draft")
    assert shown["output"] == {"title": "tides"}
    code, answered = bert.ask(f"{path}/answer", given)
    assert (code, "Approved by" in answered["message"]) == (200, True), answered
