"""`python -m e2e.chaos`: many runs under random faults, on the cluster of `make cluster`.

Ends with 0 when every run ended as it should and no check of its history found anything; writes
build/chaos.json. The embedded cluster gets a second machine meanwhile.
"""

import argparse
import random
import shutil
import sys
import time
from pathlib import Path

from e2e.bench import audit
from e2e.bench.figures import Figure, line, write
from e2e.chaos.faults import Reach
from e2e.chaos.judging import judging
from e2e.chaos.patient import patient
from e2e.chaos.second import Second
from e2e.chaos.shapes import raise_backdrop
from e2e.chaos.soak import Plan, Soak, recoveries
from e2e.cluster import api
from e2e.cluster.embedded.provider import Embedded
from e2e.cluster.settings import from_environment
from e2e.cluster.shell import Progress
from e2e.suite.install import install
from e2e.suite.kube import connected
from e2e.suite.ledger import start_ledger
from e2e.suite.operators import Operator, machine_of
from e2e.suite.space import temporary

RESULT = Path("build/chaos.json")
SWEPT = {"waypost-e2e": "true"}  # the end-to-end tests remove what an earlier process has left
RESTRICTED = {**SWEPT, "pod-security.kubernetes.io/enforce": "restricted"}


def main() -> int:
    """Give the exit code."""
    plan = _plan()
    cluster = api.ensure_up(provider="embedded")
    settings = from_environment(provider="embedded")
    control = Embedded(settings, Progress(quiet=True))
    with connected(cluster.kubeconfig, cluster.tools_dir, quiet=True) as plain:
        kube = patient(plain)
        install(kube, cluster.chart_values)
        host = machine_of(cluster.provider, cluster.name)
        assert host is not None
        operator = Operator(kube, host)
        operator.ready()
        with (
            temporary(kube, "chaos", SWEPT) as kept,
            temporary(kube, "chaos", RESTRICTED) as space,
        ):
            ledger = start_ledger(kube, kept.name, cluster.images["runner"])
            backdrop = raise_backdrop(space, ledger, cluster)  # before there is a second machine
            try:
                second = Second(kube, control, control.add_machine(2), host)
                second.open()
                reach = Reach(space, operator, host, control, second)
                assert cluster.audit_log is not None
                log = audit.from_now(cluster.audit_log)
                with judging(space, ledger, cluster):
                    soak = Soak(reach, backdrop, plan, say=_say)
                    wrong = _soaked(soak)
                figures = _figures(soak, log.requests(space.name))
            except AssertionError:
                _keep_logs(settings.of_machine(2).logs)
                raise
            finally:
                control.remove_machine(2)
    write(figures, RESULT)
    _say("\n".join(line(figure) for figure in figures))
    _say("\n".join(wrong) if wrong else f"chaos: {plan.runs} runs ended as they should")
    return 1 if wrong else 0


def _keep_logs(written: Path) -> None:
    """What the second machine wrote goes with it; why a pod did not start stands there."""
    logs = RESULT.parent / "chaos-machine-2"
    shutil.copytree(written, logs, dirs_exist_ok=True)
    _say(f"chaos: the logs of machine 2 are in {logs}")


def _soaked(soak: Soak) -> list[str]:
    begun = time.monotonic()
    soak.run()
    _say(f"chaos: all ended after {time.monotonic() - begun:.0f} s; {dict(soak.done)}")
    return soak.wrong_ends()


def _figures(soak: Soak, requests: list[audit.Request]) -> list[Figure]:
    return [
        Figure("chaos_runs", soak.started, "runs"),
        Figure("chaos_faults", sum(soak.done.values()), "faults"),
        *recoveries(soak.kills, requests),
    ]


def _plan() -> Plan:
    parser = argparse.ArgumentParser(prog="python -m e2e.chaos", description=__doc__)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--minutes", type=float, default=60.0, help="for which something breaks")
    parser.add_argument("--every", type=float, default=15.0, help="seconds between two faults")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    given = parser.parse_args()
    _say(f"chaos: seed {given.seed}")
    return Plan(given.runs, given.minutes * 60, given.every, given.seed)


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
