"""Every failure says what was tried, what was found and what to do."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from e2e.cluster import golang, shell
from e2e.cluster.__main__ import main
from e2e.cluster.embedded import packages
from e2e.cluster.errors import ClusterError, tail
from e2e.cluster.settings import Settings, read_settings
from e2e.cluster.shell import Progress


def failing_log(folder: Path) -> None:
    script = "print('the cause'); raise SystemExit(3)"
    shell.logged([sys.executable, "-c", script], log=folder / "x.log", do="do this")


@pytest.mark.parametrize(
    ("action", "tried", "found", "do"),
    [
        pytest.param(
            lambda folder: read_settings({"CLUSTER": "minikube"}),
            "choose a cluster provider",
            "CLUSTER=minikube",
            "kind, embedded, current",
            id="unknown-provider",
        ),
        pytest.param(
            lambda folder: read_settings({"WAYPOST_CLUSTER": "No Name"}),
            "use the cluster name",
            "WAYPOST_CLUSTER=No Name",
            "lower-case",
            id="bad-name",
        ),
        pytest.param(failing_log, "run", "exit code 3; the end of", "do this", id="build-fails"),
        pytest.param(
            lambda folder: shell.output(["no-such-program-at-all"]),
            "no-such-program-at-all",
            "No such file",
            "repair the cause",
            id="program-is-missing",
        ),
        pytest.param(
            lambda folder: shell.output(
                [sys.executable, "-c", "import time; time.sleep(9)"], timeout=0.1
            ),
            "sleep(9)",
            "timed out",
            "repair the cause",
            id="command-hangs",
        ),
    ],
)
def test_message(
    action: Callable[[Path], object], tried: str, found: str, do: str, tmp_path: Path
) -> None:
    with pytest.raises(ClusterError) as caught:
        action(tmp_path)
    assert tried in caught.value.tried
    assert found in caught.value.found
    assert do in caught.value.do
    assert str(caught.value).startswith("could not ")


def test_end_of_the_log_is_quoted(tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match="the cause"):
        failing_log(tmp_path)


def test_ordinary_users_are_told_their_choices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(ClusterError, match="CLUSTER=kind"):
        packages.require_root()


def test_machines_without_apt_are_told_what_to_install(
    settings: Settings, quiet: Progress, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shell, "which", lambda program: None)
    with pytest.raises(ClusterError, match="runc, util-linux"):
        packages.ensure(settings, quiet, {"runc": "runc", "nsenter": "util-linux"})


def test_tail_of_a_log(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    assert tail(log) == f"(no log at {log})"
    log.write_text("")
    assert tail(log) == f"(the log {log} is empty)"
    log.write_bytes(b"".join(b"%d\n" % number for number in range(100)) + b"\xff\n")
    assert tail(log, 2) == "99\n\N{REPLACEMENT CHARACTER}"


@pytest.mark.parametrize(
    ("text", "version"),
    [("go1.26.8\n", (1, 26)), ("go1.24", (1, 24)), ("go1.9.2", (1, 9)), ("devel +abc", (0, 0))],
)
def test_go_versions(text: str, version: tuple[int, int]) -> None:
    assert golang._go_version(text) == version


def test_command_line_ends_with_the_explanation(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("WAYPOST_CACHE", str(tmp_path))
    monkeypatch.delenv("CLUSTER", raising=False)
    assert main(["kubeconfig"]) == 1
    printed = capsys.readouterr()
    assert printed.out == "", "standard output carries results only"
    assert "error: could not print the kubeconfig" in printed.err
    assert "python -m e2e.cluster up" in printed.err
