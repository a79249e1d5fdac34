"""A real Argo CD syncs chart, template and runs from a git repository, and shows their health."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from e2e.cluster import api, argocd
from e2e.cluster.argocd import ArgoCD
from e2e.cluster.settings import from_environment
from e2e.cluster.shell import Progress
from e2e.suite.build import Obj, Workflow, workflow
from e2e.suite.install import CHART
from e2e.suite.kube import MERGE, Kube
from e2e.suite.operators import NAMESPACE, RELEASE, Operator
from e2e.suite.space import Run, Space
from e2e.suite.waiting import until

# Argo CD is built from source, with several hundred packages: a quarter of an hour. Alone: it keeps
# the chart as it is in git, and other tests that are alone change its values.
pytestmark = [pytest.mark.nightly, pytest.mark.alone, pytest.mark.timeout(3600)]

APPLICATIONS = f"/apis/argoproj.io/v1alpha1/namespaces/{argocd.NAMESPACE}/applications"
SETTINGS = CHART / "files" / "argocd" / "argocd-cm.yaml"
REPOSITORY = "deployments"
BRANCH = "main"
SECONDS = 90


@pytest.fixture(scope="module")
def argo(
    cluster: api.Cluster, kube: Kube, operator: Operator, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ArgoCD]:
    folder = tmp_path_factory.mktemp("argocd")
    settings = from_environment()
    with argocd.running(
        settings, cluster.kubeconfig, cluster.tools_dir, folder, Progress()
    ) as found:
        patch = yaml.safe_load(SETTINGS.read_text())
        path = f"/api/v1/namespaces/{argocd.NAMESPACE}/configmaps/argocd-cm"
        kube.request("PATCH", path, patch, content_type=MERGE)
        (found.repositories / REPOSITORY).mkdir()
        git(found, "init", "--quiet", f"--initial-branch={BRANCH}")
        yield found
        forget_applications(kube)


def forget_applications(kube: Kube) -> None:
    """Remove the Applications and nothing that they have synced. Argo CD would run the chart's
    post-delete hook, which is for an operator that is gone."""
    for entry in (kube.get(APPLICATIONS) or {})["items"]:
        path = f"{APPLICATIONS}/{entry['metadata']['name']}"
        kube.request("PATCH", path, {"metadata": {"finalizers": None}}, content_type=MERGE)
        kube.request("DELETE", path)


def git(argo: ArgoCD, *arguments: str) -> None:
    identity = ("-c", "user.name=ann", "-c", "user.email=ann@example.com")
    folder = argo.repositories / REPOSITORY
    subprocess.run(["git", "-C", str(folder), *identity, *arguments], check=True, timeout=60)


def commit(argo: ArgoCD, name: str, *manifests: Obj) -> None:
    """Put manifests into a folder of the repository."""
    folder = argo.repositories / REPOSITORY / name
    folder.mkdir(exist_ok=True)
    (folder / "manifests.yaml").write_text(yaml.safe_dump_all(manifests))
    git(argo, "add", "--all")
    git(argo, "commit", "--quiet", "-m", f"change {name}")


class Application:
    """An Application that syncs a folder by itself."""

    def __init__(self, argo: ArgoCD, kube: Kube, name: str, namespace: str, **source: Any) -> None:
        self.kube, self.name = kube, name
        options = ["ServerSideApply=true", "SkipDryRunOnMissingResource=true"]
        automated = {"selfHeal": True, "prune": True}
        origin = {"repoURL": argo.url_of(REPOSITORY), "path": name, "targetRevision": BRANCH}
        spec = {
            "project": "default",
            "source": {**origin, **source},
            "destination": {"server": "https://kubernetes.default.svc", "namespace": namespace},
            "syncPolicy": {"automated": automated, "syncOptions": options},
        }
        body = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Application"}
        kube.request("POST", APPLICATIONS, {**body, "metadata": {"name": name}, "spec": spec})

    def status(self) -> Obj:
        found = self.kube.get(f"{APPLICATIONS}/{self.name}") or {}
        status: Obj = found.get("status", {})
        return status

    def becomes(self, health: str) -> None:
        """Wait until the Application is synced and has this health."""

        def look() -> bool:
            status = self.status()
            seen = status.get("health", {}).get("status"), status.get("sync", {}).get("status")
            return seen == (health, "Synced")

        until(
            look,
            within=SECONDS,
            what=f"Application {self.name} is {health} and Synced",
            seen=lambda: json.dumps(self.status(), indent=1)[:4000],
        )


def of_template(name: str, template: str) -> Obj:
    manifest = workflow(name).manifest()
    return {**manifest, "spec": {"templateRef": {"name": template}}}


def template(name: str, made: Workflow) -> Obj:
    manifest = made.manifest()
    return {**manifest, "kind": "AgentWorkflowTemplate", "metadata": {"name": name}}


def run_of(space: Space, name: str) -> Run:
    found = until(lambda: space.get("agentworkflows", name), within=SECONDS, what=f"run {name}")
    return Run(space, name, found["metadata"]["uid"])


def test_a_template_and_its_run_become_healthy_and_stay_as_git_has_them(
    argo: ArgoCD, kube: Kube, space: Space
) -> None:
    steps = workflow("steps").python("a", "return 1").wait("b", "1s")
    commit(argo, "done", template("steps", steps), of_template("first", "steps"))
    application = Application(argo, kube, "done", space.name)
    application.becomes("Healthy")
    before = run_of(space, "first").read()
    argo.cli("app", "get", "done", "--hard-refresh")
    application.becomes("Healthy")
    after = run_of(space, "first").read()
    assert after["metadata"]["generation"] == before["metadata"]["generation"], "no drift"
    assert after["status"]["round"] == 1


def test_a_run_that_asks_suspends_its_application_until_a_person_answers(
    argo: ArgoCD, kube: Kube, space: Space
) -> None:
    commit(argo, "gate", workflow("asks").approval("ask").manifest())
    application = Application(argo, kube, "gate", space.name)
    application.becomes("Suspended")
    run = run_of(space, "asks")
    run.answer("ask", decision="Approved")
    application.becomes("Healthy")
    assert run.approvals(), "Argo CD prunes nothing that the operator has created"


def test_a_failed_run_degrades_its_application_and_is_rerun_from_the_menu(
    argo: ArgoCD, kube: Kube, space: Space
) -> None:
    commit(argo, "broken", workflow("fails").python("a", "raise ValueError").manifest())
    application = Application(argo, kube, "broken", space.name)
    application.becomes("Degraded")
    run = run_of(space, "fails")
    target = ("--kind", "AgentWorkflow", "--resource-name", "fails")
    argo.cli("app", "actions", "run", "broken", "rerun", *target)
    run.until(lambda seen: seen["status"]["round"] == 2, what="round 2 has begun")
    application.becomes("Degraded")
    assert run.read()["spec"]["rerun"] == {"round": 2}, "self-heal leaves it: Git does not have it"


def test_the_chart_is_an_application_too(
    argo: ArgoCD, kube: Kube, cluster: api.Cluster, tmp_path: Path
) -> None:
    folder = argo.repositories / REPOSITORY / "operator"
    shutil.copytree(CHART, folder)
    git(argo, "add", "--all")
    git(argo, "commit", "--quiet", "-m", "the chart")
    values = cluster.chart_values.items()
    parameters = [{"name": name, "value": value, "forceString": True} for name, value in values]
    helm = {"releaseName": RELEASE, "parameters": parameters}
    application = Application(argo, kube, "operator", NAMESPACE, helm=helm)
    application.becomes("Healthy")
    shown = {entry["kind"] for entry in application.status()["resources"]}
    assert {"CustomResourceDefinition", "Deployment", "ClusterRole"} <= shown
