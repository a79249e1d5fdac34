"""Kind `container`: a pod of any image, with a program that does not use Waypost."""

from typing import Final

from waypost.api.base import JsonObject
from waypost.api.workflow import Node
from waypost.kube.exec_limits import exec_problem
from waypost.kube.kinds.kind import MAX_VARIABLE_LENGTH, OwnImages, PodKind, as_text


def _image(node: Node, images: OwnImages) -> str:
    assert node.container is not None, "called for container nodes only"
    return node.container.image


def _command(node: Node) -> list[str] | None:
    return node.container.command if node.container else None


def _files(inputs: JsonObject) -> dict[str, str]:
    return {key: as_text(value) for key, value in inputs.items()}


def _variables(inputs: JsonObject) -> dict[str, str]:
    named = {
        f"WAYPOST_INPUT_{key.upper()}": as_text(value)
        for key, value in inputs.items()
        if isinstance(value, str | int | float | bool)
    }
    return {
        name: text
        for name, text in named.items()
        if len(text) <= MAX_VARIABLE_LENGTH and exec_problem(f"{name}={text}") is None
    }


def _has_output_sidecar(node: Node) -> bool:
    made = node.artifacts and node.artifacts.out
    return bool(node.container and node.container.large_output) or bool(made)


KIND: Final = PodKind(
    "container",
    image=_image,
    command=_command,
    input_files=_files,
    input_variables=_variables,
    runs_waypost=False,
    has_output_sidecar=_has_output_sidecar,
)
