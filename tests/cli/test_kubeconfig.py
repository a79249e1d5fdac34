"""Which file, context and namespace a command is about."""

import os
from pathlib import Path

import pytest
from waypost.cli.connection.kubeconfig import choose
from waypost.cli.errors import CommandError

from tests.cli.conftest import write_kubeconfig


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    first, second = tmp_path / "first", tmp_path / "second"
    write_kubeconfig(first, server="http://a", contexts=("one", "two"))
    write_kubeconfig(second, server="http://b", contexts=("three",))
    return first, second


@pytest.mark.parametrize(
    ("context", "found"),
    [(None, (0, "one")), ("two", (0, "two")), ("three", (1, "three"))],
    ids=["current", "named", "of-the-second-file"],
)
def test_contexts(files: tuple[Path, Path], context: str | None, found: tuple[int, str]) -> None:
    environ = {"KUBECONFIG": os.pathsep.join(["/nowhere", *map(str, files)])}
    chosen = choose(kubeconfig=None, context=context, environ=environ)
    index, name = found
    assert (chosen.path, chosen.context, chosen.namespace) == (files[index], name, name)


def test_a_named_file_goes_before_the_environment(files: tuple[Path, Path]) -> None:
    environ = {"KUBECONFIG": str(files[0])}
    assert choose(kubeconfig=files[1], context=None, environ=environ).context == "three"


def test_a_kubeconfig_goes_before_the_pods_own_account(files: tuple[Path, Path]) -> None:
    environ = {"KUBECONFIG": str(files[0]), "KUBERNETES_SERVICE_HOST": "10.0.0.1"}
    assert choose(kubeconfig=None, context=None, environ=environ).path == files[0]


def test_the_pods_own_account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("waypost.cli.connection.kubeconfig.DEFAULT", tmp_path / "none")
    environ = {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}
    assert choose(kubeconfig=None, context=None, environ=environ).path is None


@pytest.mark.parametrize(
    ("text", "context", "reported"),
    [
        pytest.param(None, None, "No such file", id="no-file"),
        pytest.param("a: [", None, "cannot be read", id="no-yaml"),
        pytest.param("contexts: []", None, "no current context", id="no-current-context"),
        pytest.param("contexts: [{name: a}]", "b", "no context 'b' in", id="unknown-context"),
        pytest.param("contexts: [{name: a}]", "b", "contexts: a", id="what-there-is"),
    ],
)
def test_problems(tmp_path: Path, text: str | None, context: str | None, reported: str) -> None:
    path = tmp_path / "config"
    if text is not None:
        path.write_text(text)
    with pytest.raises(CommandError, match=reported):
        choose(kubeconfig=path, context=context, environ={})
