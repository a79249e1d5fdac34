"""What is shown while programs are compiled, and what an image build is lent."""

import itertools
import sys
from pathlib import Path

import pytest

from e2e.cluster import api, buildenv, compiling, golang, kind, shell
from e2e.cluster.compiling import Compiling
from e2e.cluster.settings import REPOSITORY, read_settings
from e2e.cluster.shell import Progress

LOG = """$ go build -v -o /x ./node
go: downloading k8s.io/api v0.34.4
internal/goarch
k8s.io/api/core/v1
# a warning of the linker
k8s.io/client-go/rest
"""


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_only_names_of_packages_are_counted() -> None:
    assert compiling.compiled(LOG) == 3


@pytest.mark.parametrize(
    ("at", "total", "reported"),
    [
        pytest.param(14.0, 12, [], id="not-yet"),
        pytest.param(15.0, 12, ["Kubernetes: 3 of 12 packages"], id="too-early-to-guess"),
        pytest.param(120.0, 12, ["Kubernetes: 3 of 12 packages, about 6 min left"], id="minutes"),
        pytest.param(
            30.0, 4, ["Kubernetes: 3 of 4 packages, less than a minute left"], id="seconds"
        ),
        pytest.param(
            99.0, 3, ["Kubernetes: all 3 packages are compiled; linking"], id="at-the-end"
        ),
        pytest.param(99.0, 0, ["Kubernetes: 1 modules fetched"], id="fetching"),
    ],
)
def test_how_far_it_is(at: float, total: int, reported: list[str], tmp_path: Path) -> None:
    said: list[str] = []
    clock, log = Clock(), tmp_path / "log"
    log.write_text(LOG)
    watch = Compiling("Kubernetes", total=total, say=said.append, clock=clock)
    clock.now = at
    watch.look(log)
    watch.look(log)
    assert said == reported, "once in a while"


def test_a_long_command_is_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shell, "LOOK_SECONDS", 0.01)
    log, stop = tmp_path / "log", tmp_path / "stop"
    looks: list[Path] = []

    def look(path: Path) -> None:
        looks.append(path)
        stop.touch()

    waits = "import pathlib, sys\nwhile not pathlib.Path(sys.argv[1]).exists(): pass"
    shell.logged([sys.executable, "-c", waits, str(stop)], log=log, look=look)
    assert looks[0] == log


def test_steps_are_noted_with_their_seconds() -> None:
    progress = Progress(quiet=True)
    with progress.step("outer"), progress.step("inner"):
        pass
    assert [name for name, _ in progress.steps] == ["inner", "outer"]
    assert all(seconds >= 0 for _, seconds in progress.steps)


def test_the_demo_needs_no_kubeconform(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def installed(settings: object, tool: golang.Installable, progress: object) -> Path:
        asked.append(tool.program)
        return tmp_path / tool.program

    monkeypatch.setattr(golang, "installed", installed)
    monkeypatch.setattr(golang, "node_binaries", lambda settings, progress: tmp_path / "node")
    settings = read_settings({"WAYPOST_CACHE": str(tmp_path)})
    folder = golang.tools(settings, Progress(quiet=True), golang.HELM_ALONE)
    assert asked == ["helm"]
    assert sorted(path.name for path in folder.iterdir()) == ["helm", "kubectl"]
    assert golang.tools(settings, Progress(quiet=True)) != folder
    assert sorted(asked) == ["helm", "helm", "kubeconform"]


def test_helm_is_compiled_while_images_are_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, progress = read_settings({"WAYPOST_CACHE": str(tmp_path)}), Progress(quiet=True)
    begun = tmp_path / "begun"
    monkeypatch.setattr(
        api, "HELM_COMMAND", [sys.executable, "-c", f"open({str(begun)!r}, 'w').close()"]
    )
    with api.helm_meanwhile(settings, progress):
        assert not progress.steps
    assert begun.exists()
    assert len(progress.steps) == 1


def test_an_interruption_ends_the_build_beside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, progress = read_settings({"WAYPOST_CACHE": str(tmp_path)}), Progress(quiet=True)
    monkeypatch.setattr(
        api, "HELM_COMMAND", [sys.executable, "-c", "import time; time.sleep(3600)"]
    )
    with pytest.raises(KeyboardInterrupt), api.helm_meanwhile(settings, progress):
        raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("named", "system", "lent"),
    [
        pytest.param("mine.pem", True, "mine.pem", id="the-one-that-is-named"),
        pytest.param("", True, "system.crt", id="that-of-the-system"),
        pytest.param("gone.pem", True, "system.crt", id="named-and-missing"),
        pytest.param("", False, None, id="none"),
    ],
)
def test_docker_is_lent_the_bundle_the_proxy_and_the_index(
    named: str, system: bool, lent: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine.pem").touch()
    if system:
        (tmp_path / "system.crt").touch()
    monkeypatch.setattr(buildenv, "BUNDLE", tmp_path / "system.crt")
    environment = {"https_proxy": "http://proxy:3128", "PIP_INDEX_URL": "https://mirror/simple"}
    argv = kind.build_command(
        "waypost.local/runner:1",
        tmp_path / "runner" / "Dockerfile",
        tmp_path,
        environment=environment | ({"SSL_CERT_FILE": str(tmp_path / named)} if named else {}),
        parents={"RUNNER_IMAGE": "waypost.local/runner:0"},
        lent=tmp_path / "lent",
    )
    assert argv[:2] == ["docker", "build"]
    assert argv[-1] == str(tmp_path), "the context comes last"
    pairs = list(itertools.pairwise(argv))
    for argument in ("https_proxy=http://proxy:3128", "RUNNER_IMAGE=waypost.local/runner:0"):
        assert ("--build-arg", argument) in pairs
    secrets = dict(value.split(",src=") for flag, value in pairs if flag == "--secret")
    assert secrets.get("id=ca-bundle") == (lent and str(tmp_path / lent))
    assert "https://mirror/simple" in Path(secrets["id=pip.conf"]).read_text()
    assert "native-tls = true" in Path(secrets["id=uv.toml"]).read_text()


@pytest.mark.parametrize("image", ["agent", "operator", "runner"])
def test_each_image_mounts_what_it_is_lent_where_it_fetches(image: str) -> None:
    text = (REPOSITORY / "node-images" / image / "Dockerfile").read_text()
    steps = [step for step in text.split("\nRUN ") if "pip install" in step.split("\nCOPY")[0]]
    assert len(steps) == (3 if image == "operator" else 2)
    for step in steps:
        for name in ("ca-bundle", "pip.conf", "uv.toml"):
            assert f"--mount=type=secret,id={name}," in step


def test_the_front_end_is_built_into_the_image_of_the_operator(tmp_path: Path) -> None:
    text = (REPOSITORY / "node-images/operator/Dockerfile").read_text()
    (step,) = (step for step in text.split("\nRUN ") if "npm ci" in step)
    for name in ("ca-bundle", "npmrc"):
        assert f"--mount=type=secret,id={name}," in step
    assert "/opt/waypost/waypost/ui/static" in text
    (tmp_path / ".npmrc").touch()
    here = {"HOME": str(tmp_path)}
    assert f"{tmp_path}/.npmrc:/etc/npmrc:ro" in buildenv.mounts(here, tmp_path / "lent")
    assert f"id=npmrc,src={tmp_path}/.npmrc" in buildenv.secrets(here, tmp_path / "lent")
    assert "npmrc" not in " ".join(buildenv.secrets({}, tmp_path / "lent"))
