"""The operator is upgraded from the previous release while runs are in flight."""

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from e2e.chaos.history import History
from e2e.cluster import api, chart, images
from e2e.cluster.embedded.provider import Embedded
from e2e.cluster.settings import REPOSITORY, from_environment
from e2e.cluster.shell import Progress
from e2e.suite.build import workflow
from e2e.suite.install import install
from e2e.suite.kube import Kube
from e2e.suite.ledger import Ledger
from e2e.suite.space import Run, Space, node_of
from e2e.suite.waiting import until

# The release before the first tag: what was on main when runs could not be recovered by hand yet.
BEFORE_TAGS = "63ae0dbe81876c79bde39064e828fe7f562da480"
SLOW = "def run(**before):\n    time.sleep(6)\n    return 1 + sum(before.values())\n"
FLAKY = (
    "def run():\n    if os.environ['WAYPOST_ATTEMPT'] == '1':\n        time.sleep(5)\n"
    "        raise OSError('not yet')\n    return 1\n"
)


@dataclass(frozen=True)
class Release:
    """Sources of a release, and its images on the cluster."""

    root: Path
    values: dict[str, str]


@pytest.fixture
def previous(
    cluster: api.Cluster, control: Embedded, tmp_path_factory: pytest.TempPathFactory
) -> Release:
    """The newest tag that this commit is not, else BEFORE_TAGS."""
    commit = _newest_tag() or BEFORE_TAGS
    if _git("cat-file", "-e", commit).returncode:
        pytest.skip(f"needs the repository's history: {commit[:12]} is not in this clone")
    root = tmp_path_factory.mktemp("previous")
    packed = subprocess.run(["git", "-C", str(REPOSITORY), "archive", commit], capture_output=True)
    subprocess.run(["tar", "-x", "-C", str(root)], input=packed.stdout, check=True)
    settings, quiet = from_environment(provider="embedded"), Progress(quiet=True)
    built = images.provide(control, settings, quiet, root=root, only=("runner", "operator"))
    values = chart.values("embedded", {**cluster.images, **built})
    # The schema of an older chart refuses values that it does not have.
    newer = ("policies.", "identity.")
    known = {name: value for name, value in values.items() if not name.startswith(newer)}
    return Release(root, known)


@pytest.fixture
def old(previous: Release, kube: Kube, cluster: api.Cluster) -> Iterator[Release]:
    """The previous release is what runs; afterwards this tree's does, however the test ended."""
    install(kube, previous.values, chart=previous.root / "charts" / "waypost")
    yield previous
    install(kube, cluster.chart_values)


@pytest.mark.timeout(600)  # the previous release's image is built on the first run
def test_runs_of_the_previous_release_end_under_this_one(
    judged: History,
    space: Space,
    ledger: Ledger,
    kube: Kube,
    cluster: api.Cluster,
    old: Release,
) -> None:
    chain = workflow("chain").python("a", ledger.counted(SLOW))
    for before, name in zip("abc", "bcd", strict=True):
        inputs = {"n": f"${{nodes.{before}.output}}"}
        chain.python(name, ledger.counted(SLOW), inputs=inputs)
    again = {"retry": {"limit": 1, "backoff": {"initial": "1s"}}}
    flaky = workflow("flaky").having(defaults=again).python("a", ledger.counted(FLAKY))
    gated = workflow("gated").approval("gate")
    gated.python("a", ledger.counted(SLOW), dependsOn=["gate"])
    runs = {made.name: space.start(made) for made in (chain, flaky, gated)}
    runs["chain"].reaches("a", "Succeeded")
    gate = runs["gated"].opened("gate")
    begun(ledger, runs["flaky"])
    install(kube, cluster.chart_values)
    space.answer(gate, decision="Approved")
    ends = {name: run.succeeded(within=120) for name, run in runs.items()}
    assert node_of(ends["chain"], "d")["output"] == 4
    assert ledger.starts(runs["chain"].uid) == dict.fromkeys("abcd", 1)
    assert ledger.starts(runs["flaky"].uid) == {"a": 2}
    assert ledger.starts(runs["gated"].uid) == {"a": 1}


def begun(ledger: Ledger, run: Run) -> None:
    """Return when its first program has started."""
    until(lambda: ledger.entries(run.uid), within=60, what=f"{run.name} runs")


def _newest_tag() -> str:
    described = _git("describe", "--tags", "--abbrev=0", "--match=v*", "HEAD^")
    return described.stdout.strip() if described.returncode == 0 else ""


def _git(*arguments: str) -> subprocess.CompletedProcess[str]:
    argv = ["git", "-C", str(REPOSITORY), *arguments]
    return subprocess.run(argv, capture_output=True, text=True, check=False)
