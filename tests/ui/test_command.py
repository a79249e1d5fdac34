"""`waypost ui`: its options, what it prints, and how it ends."""

import asyncio
import re
import signal
import sys
from pathlib import Path

import aiohttp
import pytest
from waypost.cli.app import main
from waypost.cli.errors import Exit

from tests.ui import samples
from tests.ui.crowd import Crowd, api_server, bearer
from tests.ui.kubernetes import Kubernetes, serving

LINK = re.compile(r"(http://127\.0\.0\.1:\d+)(/team/w)?/#token=(\S+)")


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["-A", "-n", "x"], "exclude each other"),
        (["--prefix", "team"], "--prefix: expected a path such as /team/waypost"),
        (["--prefix", "/a/../b?"], "--prefix: expected a path"),
        (["--prefix", "/"], "--prefix: expected a path"),
        (["--allow-host", "http://x"], "--allow-host: expected HOST or HOST:PORT"),
        (["--port", "70000"], "65535"),
    ],
)
def test_options_that_are_refused(
    argv: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["ui", "--no-browser", *argv]) == Exit.USAGE
    assert words in capsys.readouterr().err


def test_without_a_kubeconfig(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "nothing"))
    assert main(["ui", "--no-browser"]) == Exit.USAGE
    assert "kubeconfig" in capsys.readouterr().err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_s511_the_link_that_it_prints(tmp_path: Path, number: signal.Signals) -> None:
    """It opens a session; a signal ends the server, also while a browser follows changes."""
    kubernetes = Kubernetes()
    kubernetes.put("agentworkflows", samples.triage())
    async with serving(kubernetes, tmp_path) as config:
        program = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "waypost", "ui", "--no-browser", "--prefix", "/team/w"),
            *("--kubeconfig", str(config)),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        assert program.stdout is not None
        printed = (await program.stdout.readline()).decode()
        found = LINK.search(printed)
        assert found, (printed, await program.communicate())
        assert "namespace demo" in printed
        address, prefix, secret = found.groups()
        own = {"origin": address}
        url = f"{address}{prefix}/api"
        jar = aiohttp.CookieJar(unsafe=True)  # an address is no name of a host
        async with aiohttp.ClientSession(cookie_jar=jar) as http:
            async with http.post(f"{url}/session", data=secret.encode(), headers=own) as answer:
                key = {"x-waypost-key": (await answer.json())["key"]}
            async with http.get(f"{url}/changes", headers=key) as stream:
                assert (await stream.content.readline()).startswith(b"retry")
                async with http.get(f"{url}/runs", headers=key) as answer:
                    assert (await answer.json())["total"] == 1
                program.send_signal(number)
                await stream.content.read()
            out, err = await program.communicate()
    assert (out.decode(), err.decode()) == (
        "the link works once, for one browser; Ctrl-C stops the server\n",
        "",
    )
    assert program.returncode == 0 if number == signal.SIGINT else True


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["--login", "none"], "--login: expected one of token, proxy"),
        (["--api-server", "10.96.0.1"], "--api-server: expected a URL"),
        (["--ca-file", "/nothing/ca.crt"], "--ca-file: /nothing/ca.crt does not exist"),
        (["--prefix", "team"], "--prefix: expected a path"),
        (["--allow-host", "http://x"], "--allow-host: expected HOST or HOST:PORT"),
        ([], "there is no cluster around this process"),
    ],
)
def test_options_of_serve_that_are_refused(
    argv: list[str],
    words: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    given = argv if not argv or "--api-server" in argv else ["--api-server", "http://x", *argv]
    assert main(["ui", "serve", *given]) == Exit.USAGE
    assert words in capsys.readouterr().err


def test_an_option_before_serve_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ui", "--read-only", "serve"]) == Exit.USAGE
    assert "--read-only: options of `waypost ui serve` stand behind" in capsys.readouterr().err


async def test_serve_asks_the_cluster_around_it_with_the_token_of_the_person() -> None:
    """As in a pod; SIGTERM ends it, also while a browser follows changes."""
    crowd = Crowd()
    crowd.let("ann-1", "ann", everywhere="list watch")
    async with api_server(crowd) as address:
        program = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "waypost", "ui", "serve", "--login", "proxy", "--prefix", "/w"),
            *("--host", "127.0.0.1", "--port", "0", "--api-server", address),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        assert program.stdout is not None
        printed = (await program.stdout.readline()).decode()
        found = re.search(r"listens on (127\.0\.0\.1:\d+)/w/, login: proxy", printed)
        assert found, (printed, await program.communicate())
        site = f"http://{found.group(1)}"
        async with aiohttp.ClientSession() as http:
            async with http.get(f"{site}/healthz") as answer:
                assert answer.status == 200
            async with http.get(f"{site}/w/api/changes", headers=bearer("ann-1")) as stream:
                assert (await stream.content.readline()).startswith(b"retry")
                program.send_signal(signal.SIGTERM)
                await stream.content.read()
            await program.communicate()
    assert {token for token, _ in crowd.seen} == {"ann-1"}
