"""The manifest of a child run."""

from waypost.api import meta
from waypost.api.base import JsonObject
from waypost.api.template.called import Called
from waypost.api.template.parent import Parent
from waypost.kube.manifests.attempt_job import Owner
from waypost.protocol import ijson


def child_manifest(
    *,
    name: str,
    owner: Owner,
    template: Called,
    inputs: JsonObject,
    parent: Parent,
    scheduled_at: str,
) -> JsonObject:
    """A child run.

    Args:
        name: Its name.
        owner: The parent.
        template: The template that it runs.
        inputs: Its inputs.
        parent: What it has from its parent.
        scheduled_at: `run.scheduledAt` of its parent.

    Returns:
        The manifest. The finalizer keeps the run until its end is in the status of its parent.
    """
    spec: JsonObject = {
        "templateRef": {"name": template.name},
        "inputs": inputs,
        "scheduledAt": scheduled_at,
        "parent": parent.model_dump(by_alias=True, exclude_none=True, mode="json"),
    }
    return {
        "apiVersion": meta.API_VERSION,
        "kind": meta.AGENT_WORKFLOW.kind,
        "metadata": {
            "name": name,
            "namespace": owner.namespace,
            "labels": {meta.LABEL_PARENT: owner.uid, meta.LABEL_ROOT: parent.root},
            "annotations": {
                meta.ANNOTATION_RUN_NAME: owner.name,
                meta.ANNOTATION_PATH: parent.path,
                meta.ANNOTATION_REQUEST_DIGEST: ijson.digest([str(template), inputs]),
            },
            "finalizers": [meta.FINALIZER_CHILD],
            "ownerReferences": [owner.reference()],
        },
        "spec": spec,
    }
