"""The tag of an image follows the content it is built from, and nothing else."""

import json
import os
import subprocess
import tarfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from e2e.cluster import archive, buildenv, images
from e2e.cluster.errors import ClusterError
from e2e.cluster.settings import Settings
from e2e.cluster.shell import Progress


class FakeProvider:
    """A provider that remembers what it was asked for."""

    kubeconfig = Path("/kubeconfig")
    audit_log: Path | None = None

    def __init__(self) -> None:
        self.loaded: list[str] = []
        self.contexts: list[set[str]] = []
        self.parents: list[dict[str, str]] = []

    def up(self) -> None: ...

    def down(self) -> None: ...

    def status(self) -> dict[str, str]:
        return {}

    def build(
        self, image: str, dockerfile: Path, context: Path, parents: Mapping[str, str] | None = None
    ) -> None:
        self.parents.append(dict(parents or {}))
        assert dockerfile.is_file(), "the Dockerfile comes from the context itself"
        found = (path for path in context.rglob("*") if path.is_file())
        self.contexts.append({path.relative_to(context).as_posix() for path in found})

    def has(self, image: str) -> bool:
        return image in self.loaded

    def load(self, image: str) -> None:
        self.loaded.append(image)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    for name, text in {
        "pyproject.toml": "[project]",
        "operator/a.py": "a",
        "operator/cache/b.pyc": "ignored",
        "node-images/operator/Dockerfile": "FROM x\nCOPY pyproject.toml ./\nCOPY operator /o",
        "node-images/runner/Dockerfile": "FROM y\nCOPY pyproject.toml ./",
        "node-images/notes/README.md": "no image",
        "docs/index.md": "no input",
        ".gitignore": "cache/",
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    subprocess.run(["git", "init", "-q", str(root)], check=True)
    subprocess.run(["git", "-C", str(root), "add", "pyproject.toml", "operator/a.py"], check=True)
    return root


def digest(root: Path) -> str:
    return images.content_hash(root, images.input_files(root))


def test_inputs_are_tracked_and_new_files_but_not_ignored_ones(tree: Path) -> None:
    (tree / "operator/new.py").write_text("new")
    assert [path.as_posix() for path in images.input_files(tree)] == [
        "node-images/notes/README.md",
        "node-images/operator/Dockerfile",
        "node-images/runner/Dockerfile",
        "operator/a.py",
        "operator/new.py",
        "pyproject.toml",
    ]


def test_file_deleted_but_still_tracked_is_no_input(tree: Path) -> None:
    (tree / "operator/a.py").unlink()
    assert Path("operator/a.py") not in images.input_files(tree)


def test_source_archive_without_git_has_inputs_too(tmp_path: Path) -> None:
    (tmp_path / "operator/__pycache__").mkdir(parents=True)
    (tmp_path / "operator/a.py").write_text("a")
    (tmp_path / "operator/__pycache__/a.pyc").write_text("a")
    assert images.input_files(tmp_path) == [Path("operator/a.py")]


@pytest.mark.parametrize(
    ("change", "changes_tag"),
    [
        pytest.param(lambda root: (root / "operator/a.py").write_text("b"), True, id="content"),
        pytest.param(lambda root: (root / "operator/a.py").chmod(0o755), True, id="executable"),
        pytest.param(
            lambda root: (root / "operator/a.py").rename(root / "operator/b.py"), True, id="name"
        ),
        pytest.param(lambda root: os.utime(root / "operator/a.py", (1, 1)), False, id="time"),
        pytest.param(lambda root: (root / "docs/index.md").write_text("x"), False, id="docs"),
        pytest.param(
            lambda root: (root / "operator/cache/b.pyc").write_text("x"), False, id="ignored"
        ),
    ],
)
def test_tag(change: object, changes_tag: bool, tree: Path) -> None:
    before = digest(tree)
    assert callable(change)
    change(tree)
    assert (digest(tree) != before) is changes_tag


def test_images_are_built_and_loaded_once(tree: Path, settings: Settings, quiet: Progress) -> None:
    provider = FakeProvider()
    first = images.provide(provider, settings, quiet, root=tree)
    second = images.provide(provider, settings, quiet, root=tree)
    assert first == second
    assert sorted(first) == ["operator", "runner"]
    assert provider.loaded == [first["operator"], first["runner"]]
    assert len(provider.contexts) == 2
    assert provider.contexts == [
        {"pyproject.toml", "operator/a.py", "node-images/operator/Dockerfile"},
        {"pyproject.toml", "node-images/runner/Dockerfile"},
    ], "a build sees what its tag is made of, and only that"


def test_change_builds_only_the_images_that_contain_it(
    tree: Path, settings: Settings, quiet: Progress
) -> None:
    provider = FakeProvider()
    before = images.provide(provider, settings, quiet, root=tree)
    (tree / "operator/a.py").write_text("changed")
    after = images.provide(provider, settings, quiet, root=tree)
    assert before["runner"] == after["runner"]
    assert before["operator"] != after["operator"]


def test_image_is_built_on_ours_after_it_and_anew_with_it(
    tree: Path, settings: Settings, quiet: Progress
) -> None:
    (tree / "node-images/agent").mkdir()
    (tree / "node-images/agent/Dockerfile").write_text("ARG RUNNER_IMAGE\nFROM ${RUNNER_IMAGE}")
    provider = FakeProvider()
    before = images.provide(provider, settings, quiet, root=tree)
    assert provider.loaded.index(before["runner"]) < provider.loaded.index(before["agent"])
    assert {"RUNNER_IMAGE": before["runner"]} in provider.parents
    (tree / "node-images/runner/Dockerfile").write_text("FROM z\nCOPY pyproject.toml ./")
    after = images.provide(provider, settings, quiet, root=tree)
    assert before["runner"] != after["runner"]
    assert before["agent"] != after["agent"], "it holds the old runner"


@pytest.mark.parametrize(
    ("dockerfile", "expected"),
    [
        pytest.param("FROM a", (), id="nothing"),
        pytest.param("COPY a.toml b.lock ./", ("a.toml", "b.lock"), id="several"),
        pytest.param("copy ./a /a\nADD b/ /b", ("a", "b/"), id="spellings"),
        pytest.param("COPY --chown=1:1 --link a /a", ("a",), id="options"),
        pytest.param("COPY --from=build /x /x", (), id="another-stage"),
        pytest.param("COPY a \\\n  b \\\n  /x", ("a", "b"), id="continued"),
        pytest.param("# COPY a /a\nRUN COPY", (), id="no-instruction"),
        pytest.param("COPY . /src", images.ALL_INPUTS, id="everything"),
        pytest.param("COPY *.toml /src", images.ALL_INPUTS, id="pattern"),
        pytest.param("COPY $WHAT /src", images.ALL_INPUTS, id="variable"),
        pytest.param('COPY ["a", "/a"]', images.ALL_INPUTS, id="list"),
    ],
)
def test_inputs_are_read_off_the_dockerfile(dockerfile: str, expected: tuple[str, ...]) -> None:
    assert images.copied(dockerfile) == expected


def test_image_that_is_given_is_neither_built_nor_loaded(
    tree: Path, settings: Settings, quiet: Progress, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WAYPOST_RUNNER_IMAGE", "example/runner:1")
    provider = FakeProvider()
    found = images.provide(provider, settings, quiet, root=tree)
    assert found["runner"] == "example/runner:1"
    assert provider.loaded == [found["operator"]]


def test_archive_is_one_that_runtimes_import(tmp_path: Path) -> None:
    program = tmp_path / "pause"
    program.write_bytes(b"\x7fELF")
    archive.write_single_program(tmp_path / "out.tar", "waypost.local/pause:1", program)
    with tarfile.open(tmp_path / "out.tar") as stream:
        manifest = json.load(stream.extractfile("manifest.json") or pytest.fail("no manifest"))[0]
        assert set(stream.getnames()) == {manifest["Config"], *manifest["Layers"], "manifest.json"}
        config = json.load(stream.extractfile(manifest["Config"]) or pytest.fail("no config"))
    assert manifest["RepoTags"] == ["waypost.local/pause:1"]
    assert config["config"]["Entrypoint"] == ["/pause"]
    assert config["rootfs"]["diff_ids"] == [f"sha256:{manifest['Layers'][0].split('/')[0]}"]


def test_only_what_is_set_here_is_passed_to_a_build() -> None:
    here = {"https_proxy": "p", "HOME": "/h", "PIP_INDEX_URL": ""}
    assert buildenv.arguments(here, {"RUNNER_IMAGE": "r"}) == [
        "--build-arg",
        "https_proxy=p",
        "--build-arg",
        "RUNNER_IMAGE=r",
    ]


def test_wheel_folders_are_lent_under_a_name_that_tells_nothing(tmp_path: Path) -> None:
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    options = buildenv.mounts({"PIP_FIND_LINKS": str(wheels)}, tmp_path / "settings")
    assert f"{wheels}:/mnt/wheels-0:ro" in options
    assert "find-links = /mnt/wheels-0" in (tmp_path / "settings/pip.conf").read_text()


def test_index_reaches_both_installers(tmp_path: Path) -> None:
    environment = {"PIP_INDEX_URL": "https://p.example/s", "UV_DEFAULT_INDEX": "https://u.example"}
    assert "index-url = https://p.example/s" in buildenv.pip_configuration(environment, {})
    assert 'url = "https://u.example"' in buildenv.uv_configuration(environment)


def test_current_cluster_says_how_to_bring_an_image(settings: Settings, quiet: Progress) -> None:
    from e2e.cluster.current import Current

    with pytest.raises(ClusterError, match="WAYPOST_RUNNER_IMAGE"):
        Current(settings, quiet).load("waypost.local/runner:dev-1")
