"""A run as YAML, for people who read and copy it."""

from typing import Final

import yaml

from waypost.api.base import JsonObject
from waypost.kube.objects import section
from waypost.views.documents import RunManifest

_METADATA: Final = ("name", "namespace", "labels", "annotations")
_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"  # the manifest once more


def run_manifest(run: JsonObject) -> RunManifest:
    """The manifest and the status of an AgentWorkflow object."""
    metadata = section(run, "metadata")
    shown = {key: metadata[key] for key in _METADATA if metadata.get(key)}
    if annotations := shown.pop("annotations", None):
        kept = {key: value for key, value in annotations.items() if key != _APPLIED}
        shown |= {"annotations": kept} if kept else {}
    head = {"apiVersion": "waypost.dev/v1alpha1", "kind": "AgentWorkflow"}
    return RunManifest(
        name=str(metadata["name"]),
        namespace=str(metadata["namespace"]),
        manifest=_text({**head, "metadata": shown, "spec": section(run, "spec")}),
        status=_text(section(run, "status")),
    )


def _text(value: JsonObject) -> str:
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)


class _Dumper(yaml.SafeDumper):
    """Writes programs and prompts as blocks, which people can read, and repeats what is shared."""

    def ignore_aliases(self, _: object) -> bool:
        """Always: anchors would be read as part of the manifest."""
        return True


def _represent(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent)
