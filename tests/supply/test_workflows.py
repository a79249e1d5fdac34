"""The workflows, judged by actionlint: keys, types of expressions, contexts, and needs of jobs."""

import subprocess
from pathlib import Path
from typing import Final

import pytest

from e2e.cluster import golang, settings
from e2e.cluster.shell import Progress

# actionlint is built from source once; its modules are fetched.
pytestmark = pytest.mark.nightly

FILES: Final = sorted((Path(__file__).parents[2] / ".github/workflows").glob("*.yml"))


@pytest.fixture(scope="module")
def actionlint() -> Path:
    return golang.installed(settings.from_environment(), golang.ACTIONLINT, Progress())


def judged(actionlint: Path, file: Path) -> tuple[int, str]:
    # Other linters are used if they are installed; the result must not depend on that.
    argv = [str(actionlint), "-shellcheck=", "-pyflakes=", "-no-color", str(file)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_s707_actionlint_finds_nothing(actionlint: Path, file: Path) -> None:
    assert judged(actionlint, file) == (0, "")


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("needs: judge", "needs: jugde", "jugde"),
        ("secrets.GITHUB_TOKEN", "secret.GITHUB_TOKEN", "undefined variable"),
        ("timeout-minutes: 60", "timeout-minute: 60", "unexpected key"),
    ],
)
def test_s707_it_would_find_a_mistake(
    actionlint: Path, tmp_path: Path, before: str, after: str, words: str
) -> None:
    [release] = [file for file in FILES if file.stem == "release"]
    text = release.read_text(encoding="utf-8")
    assert before in text
    folder = tmp_path / ".github/workflows"
    folder.mkdir(parents=True)
    changed = folder / "release.yml"
    changed.write_text(text.replace(before, after, 1), encoding="utf-8")
    code, said = judged(actionlint, changed)
    assert (code, words in said) == (1, True), said
