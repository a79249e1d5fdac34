"""How to judge a pod: by the definition of its node, or if that is lost, by the pod's request."""

from waypost.api.base import JsonValue
from waypost.api.kinds.table import kind_of
from waypost.api.paths import parse_path
from waypost.compiler.definition import Definition
from waypost.kube.facts.pods import PodFact
from waypost.protocol import ijson


def kind_of_pod(definition: Definition, path: str, pod: PodFact) -> str:
    """The kind of node that a pod was launched for: a round may have made it one without a pod."""
    node = parse_path(path).entry
    kind = kind_of(definition.graph.nodes[node])
    if kind.has_pod and node not in definition.stand_ins:
        return kind.name
    return pod.kind or (kind.name if kind.has_pod else "python")


def output_schema_of(definition: Definition, path: str, pod: PodFact) -> JsonValue | None:
    """The JSON Schema of a pod's output; None allows anything, or the pod has checked it."""
    node = parse_path(path).entry
    if node not in definition.stand_ins:
        return definition.graph.nodes[node].output_schema
    return ijson.parse(pod.schema) if pod.schema else None
