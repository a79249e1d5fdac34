"""The parts of a pod that depend on the kind, with what holds for kinds run by our own images."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from waypost.api.base import JsonObject, JsonValue
from waypost.api.workflow import Node
from waypost.protocol import ijson

MAX_VARIABLE_LENGTH: Final = 32768  # characters; longer inputs are files only


@dataclass(frozen=True)
class OwnImages:
    """Images of this installation. `agent` is "" where it has none."""

    runner: str
    agent: str = ""


def as_text(value: JsonValue) -> str:
    """An input as a file or a variable holds it: text as it is, anything else as JSON."""
    return value if isinstance(value, str) else ijson.canonical(value).decode()


def no_command(node: Node) -> list[str] | None:
    """The image's own command."""
    return None


def no_texts(inputs: JsonObject) -> dict[str, str]:
    """The runner reads the request document."""
    return {}


def no(node: Node) -> bool:
    """Never."""
    return False


@dataclass(frozen=True)
class PodKind:
    """One kind of node, for the manifests of its pods.

    Attributes:
        name: As in `api.kinds`.
        image: The image of the container `node`.
        command: What replaces the command of the image.
        input_files: Inputs as files of the pod, by file name.
        input_variables: Inputs as environment variables, by name.
        runs_waypost: The program is ours: it reads the request, talks to the gateway, times itself.
        has_output_sidecar: A sidecar carries the output of the program to the gateway.
    """

    name: str
    image: Callable[[Node, OwnImages], str]
    command: Callable[[Node], list[str] | None] = no_command
    input_files: Callable[[JsonObject], dict[str, str]] = no_texts
    input_variables: Callable[[JsonObject], dict[str, str]] = no_texts
    runs_waypost: bool = True
    has_output_sidecar: Callable[[Node], bool] = no
