"""The demo in six steps. Everything it does, a user could type; the commands are shown."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from e2e.cluster import api
from e2e.cluster.errors import ClusterError
from e2e.cluster.shell import Progress
from e2e.demo import models, run, table
from e2e.demo.kube import OPERATOR_NAMESPACE, Kube
from e2e.demo.screen import Screen

NAMESPACE = "demo"
APPROVER = ("demo-approver", "release-managers")  # a user and a group, as the API server has them
AS_APPROVER = (f"--as={APPROVER[0]}", f"--as-group={APPROVER[1]}")
BRANCHES = ("features", "fixes", "others")
PATIENCE = 300.0
POLL = 0.4
WHY = (
    "Running nodes do not notice. What has ended is in the run's status; what ends meanwhile",
    "keeps its result in its pod, which a finalizer holds until the next operator has recorded",
    "it. No node may run twice.",
)

Obj = dict[str, Any]


@dataclass
class Story:
    """State of one demo."""

    screen: Screen
    automatic: bool
    progress: Progress = field(default_factory=Progress)
    kube: Kube = field(init=False)
    provider: str = ""
    image: str = ""  # of the operator: it has the scripted model server too
    name: str = ""
    killed_at: float | None = None

    def tell(self) -> None:
        """All of it. Raises ClusterError; KeyboardInterrupt passes through."""
        self.screen.say("Waypost demo: release notes from this repository's own history.")
        self.screen.say("Three branches sort the commits, an agent drafts, a human says yes, and")
        self.screen.say("in the middle the operator is killed, to show that nothing is lost.")
        self._install(self._cluster())
        self._start()
        self._kill_the_operator()
        decided = self._ask()
        self._finish(decided)

    def _cluster(self) -> api.Cluster:
        self.screen.title("1/6 a cluster, and Waypost's images on it")
        cluster = api.ensure_up(progress=self.progress)
        self.kube = Kube(tools=cluster.tools_dir, kubeconfig=cluster.kubeconfig)
        self.provider = cluster.provider
        self.screen.say(f"  {cluster.provider} cluster {cluster.name!r} is up")
        return cluster

    def _install(self, cluster: api.Cluster) -> None:
        self.screen.title("2/6 install Waypost")
        command = f"helm upgrade --install waypost charts/waypost -n {OPERATOR_NAMESPACE}"
        self.screen.command(command)
        self.kube.install(cluster.chart_values)
        self.image = cluster.images["operator"]
        for pod in self.kube.operator_pods():
            self.screen.say(f"  the operator runs: pod/{pod}")

    def _start(self) -> None:
        self.screen.title("3/6 start a run")
        self.name = run.run_name(datetime.now().astimezone())
        self.kube.ensure_namespace(NAMESPACE)
        self.kube.apply_all([_approvers()], namespace=NAMESPACE)
        manifest, said = run.manifest(self._with_a_model(run.template()), self.name)
        self.screen.command(
            "python3 examples/release-notes/make_input.py | kubectl apply -n demo -f -"
        )
        self.kube.kubectl("apply", "-n", NAMESPACE, "-f", "-", stdin=manifest)
        self.screen.say(f"  {said}: agentworkflow/{self.name}")
        self.screen.say("")
        self._watch(until=lambda seen: _running(seen, BRANCHES) or _is_over(seen))

    def _with_a_model(self, template: str) -> str:
        """The workflow with a model that answers: a ModelProvider is made for it, if it has an
        agent at all."""
        if f"provider: {models.PROVIDER}" not in template:
            return template
        choice = models.choose(os.environ, operator_image=self.image, script=run.script())
        self.screen.say(f"  {choice.said}")
        self.kube.apply_all(choice.manifests, namespace=NAMESPACE)
        address = ""
        if choice.scripted:
            wait = ("rollout", "status", f"deploy/{models.SERVER}", "--timeout=120s")
            self.kube.kubectl("-n", NAMESPACE, *wait)
            service = self.kube.get(f"service/{models.SERVER}", namespace=NAMESPACE)
            address = service["spec"]["clusterIP"]
        self.kube.apply_all([choice.provider(address=address)], namespace=NAMESPACE)
        return models.with_model(template, choice.model)

    def _kill_the_operator(self) -> None:
        self.screen.title("4/6 kill the operator, now, with nodes running")
        victims = list(self.kube.operator_pods())
        for pod in victims:
            self.screen.command(f"kubectl delete pod {pod} -n {OPERATOR_NAMESPACE} --now")
            self.kube.kubectl(
                "-n", OPERATOR_NAMESPACE, "delete", "pod", pod, "--now", "--wait=false"
            )
        killed = time.monotonic()
        for line in WHY:
            self.screen.say(f"  {line}")
        self.screen.say("")

        def taken_over(seen: Obj) -> bool:
            ready = [name for name, ready in self.kube.operator_pods().items() if ready]
            new = [name for name in ready if name not in victims]
            if new and self.killed_at is None:
                self.killed_at = killed
                text = (
                    f"  pod/{new[0]} has taken over, ready after {time.monotonic() - killed:.1f} s"
                )
                self.screen.say(text)
            return bool(new)

        self._watch(until=taken_over)
        self._watch(until=lambda seen: bool(table.approval_of(seen)) or _is_over(seen))

    def _ask(self) -> bool:
        """Whether the question was answered, by whomever."""
        seen = self._read()
        if _is_over(seen):
            raise ClusterError(
                "reach the approval",
                found=f"the run has ended: {table.condition(seen, 'Succeeded').get('message')}",
                do=self._typed(f"kubectl -n {NAMESPACE} describe aw {self.name}"),
            )
        approval = table.approval_of(seen)
        self.screen.title("5/6 the run waits for a human; no pod is running")
        message = self.kube.get(f"approval/{approval}", namespace=NAMESPACE)["spec"]["message"]
        for line in message.splitlines():
            self.screen.say(f"  | {line}")
        self.screen.say("")
        self.screen.say(
            f"  It could wait for days. Members of the group {APPROVER[1]} who have the"
        )
        self.screen.say(
            "  role waypost-approver may answer, with one patch in their own name, here"
        )
        self.screen.say(f"  that of {APPROVER[0]}:")
        patch = f'{{"spec":{{"decision":"%s","decidedBy":"{APPROVER[0]}"}}}}'
        self.screen.command(self._patch_command(approval, patch % "Approved"))
        self.screen.say("")
        decision = self._decide(approval)
        if decision == "":
            return False
        if decision is not None:
            self.kube.kubectl(
                *("-n", NAMESPACE, *AS_APPROVER, "patch", "approval", approval),
                *("--type", "merge", "-p", patch % decision),
            )
        return True

    def _decide(self, approval: str) -> str | None:
        """Approved or Denied; "" to leave; None when somebody else was faster."""
        if self.automatic:
            self.screen.say("  YES=1, or no terminal: the demo answers for you: Approved.")
            return "Approved"

        def answered() -> bool:
            return table.approval_of(self._read()) != approval

        while True:
            question = "  a(pprove), d(eny), q(uit), or patch from another terminal: "
            line = self.screen.ask(question, give_up=answered)
            if line is None:
                self.screen.say("  answered from elsewhere")
                return None
            choice = line.strip().lower()[:1]
            if choice in ("a", "d"):
                return "Approved" if choice == "a" else "Denied"
            if choice == "q" or line == "":
                return ""

    def _finish(self, decided: bool) -> None:
        if not decided:
            self.screen.say(f"  agentworkflow/{self.name} is still waiting.")
            self._next()
            return
        seen = self._watch(until=_is_over)
        succeeded = table.condition(seen, "Succeeded")
        self.screen.title(f"6/6 the run has ended: {succeeded.get('reason')}")
        self.screen.command(f"kubectl get aw {self.name} -n {NAMESPACE}")
        self._indented(self.kube.kubectl("-n", NAMESPACE, "get", "aw", self.name).splitlines())
        self.screen.say("  outputs:")
        self._indented(f"  {line}" for line in table.outputs_of(seen))
        self.screen.whole_table(table.rows(seen))
        self.screen.say("")
        self._indented(verdict(table.attempts(seen)))
        self._next()

    def _indented(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.screen.say(f"  {line}")
        self.screen.say("")

    def _next(self) -> None:
        self.screen.title("what took how long")
        self._indented(times(self.screen.took(), self.progress.steps))
        self.screen.title("try next")
        if self.provider != "current":
            self.screen.say(f"  export KUBECONFIG={self.kube.kubeconfig}")
        if not shutil.which("kubectl"):
            self.screen.say(f"  export PATH={self.kube.tools}:$PATH")
        for command in (
            f"kubectl -n {NAMESPACE} get aw,approvals",
            f"kubectl -n {NAMESPACE} describe aw {self.name}",
            f"scripts/bootstrap.sh && .venv/bin/waypost trace {self.name} -n {NAMESPACE}",
            "kubectl explain agentworkflow.spec.nodes",
            f"kubectl -n {NAMESPACE} apply -f examples/hello/workflow.yaml",
            "make demo        # again: a new run",
            self._removal(),
        ):
            self.screen.say(f"  {command}")

    def _removal(self) -> str:
        if self.provider == "current":
            remove = (
                f"helm uninstall waypost -n {OPERATOR_NAMESPACE}",
                f"kubectl delete ns {NAMESPACE}",
            )
            return "; ".join(remove)
        return "make clean       # removes the cluster"

    def _read(self) -> Obj:
        return self.kube.get(f"agentworkflow/{self.name}", namespace=NAMESPACE)

    def _watch(self, *, until: Callable[[Obj], bool]) -> Obj:
        """Show the run until something holds; the run as it was then."""
        deadline = time.monotonic() + PATIENCE
        while True:
            seen = self._read()
            self.screen.table(table.rows(seen))
            if until(seen):
                return seen
            if time.monotonic() > deadline:
                raise ClusterError(
                    f"see agentworkflow/{self.name} go on",
                    found=f"nothing more within {PATIENCE:.0f} s",
                    do=self._typed(
                        f"kubectl -n {OPERATOR_NAMESPACE} logs deploy/waypost; "
                        f"kubectl -n {NAMESPACE} describe aw {self.name}"
                    ),
                )
            time.sleep(POLL)

    def _patch_command(self, approval: str, patch: str) -> str:
        return self._typed(
            f"kubectl -n {NAMESPACE} {' '.join(AS_APPROVER)} patch approval {approval} "
            f"--type merge -p '{patch}'"
        )

    def _typed(self, command: str) -> str:
        """A command as it works in another terminal."""
        if self.provider == "current" or os.environ.get("KUBECONFIG") == str(self.kube.kubeconfig):
            return command
        return f"KUBECONFIG={self.kube.kubeconfig} {command}"


def _approvers() -> Obj:
    """The role with which a group answers the questions of the namespace."""
    group = "rbac.authorization.k8s.io"
    return {
        "apiVersion": f"{group}/v1",
        "kind": "RoleBinding",
        "metadata": {"name": APPROVER[1]},
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "waypost-approver"},
        "subjects": [{"apiGroup": group, "kind": "Group", "name": APPROVER[1]}],
    }


def times(titles: Sequence[tuple[str, float]], parts: Sequence[tuple[str, float]]) -> list[str]:
    """Seconds of each step; below the first, which brings everything up, those of its parts that
    took more than a second."""
    lines: list[str] = []
    for number, (text, seconds) in enumerate(titles):
        lines.append(f"{seconds:6.1f} s  {text}")
        if number == 0:
            lines += [f"{took:6.1f} s      {part}" for part, took in parts if took >= 1.0]
    return lines


def verdict(attempts: dict[str, int]) -> list[str]:
    """The point of it all, which is only said when it is true."""
    again = {name: count for name, count in attempts.items() if count > 1}
    if again:
        repeats = ", ".join(f"{name} {count} times" for name, count in sorted(again.items()))
        return [f"The operator was killed half-way. Tried more than once: {repeats}."]
    count = sum(attempts.values())
    return [
        f"The operator was killed half-way, and {count} nodes with a pod took {count} attempts:",
        "nothing was lost, nothing ran twice.",
    ]


def is_automatic() -> bool:
    """Nobody is there to be asked, or asked not to be."""
    yes = os.environ.get("YES", "").lower() in ("1", "y", "yes", "true")
    return yes or bool(os.environ.get("CI")) or not (sys.stdin.isatty() and sys.stdout.isatty())


def _running(seen: Obj, names: tuple[str, ...]) -> bool:
    return any(row.node in names and row.phase == "Running" for row in table.rows(seen))


def _is_over(seen: Obj) -> bool:
    return bool(table.condition(seen, "Finished").get("status") == "True") or bool(
        table.condition(seen, "Accepted").get("status") == "False"
    )
