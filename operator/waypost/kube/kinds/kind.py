"""The parts of a pod that depend on the kind, with defaults for kinds with our own images."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from waypost.api.base import JsonObject, JsonValue
from waypost.api.workflow import Node
from waypost.protocol import ijson

MAX_VARIABLE_LENGTH: Final = 32768  # characters; longer inputs are files only


@dataclass(frozen=True)
class OwnImages:
    """The images of this installation. `agent` is "" if it has none."""

    runner: str
    agent: str = ""


def as_text(value: JsonValue) -> str:
    """The text of an input in a file or variable: a string as it is, any other value as JSON."""
    return value if isinstance(value, str) else ijson.canonical(value).decode()


def no_command(node: Node) -> list[str] | None:
    """For kinds that use the command of the image."""
    return None


def no_texts(inputs: JsonObject) -> dict[str, str]:
    """For kinds whose program reads its inputs from the request document."""
    return {}


def no_attachments(node: Node) -> list[str]:
    """For kinds without attachments."""
    return []


def no(node: Node) -> bool:
    """For kinds that never have it."""
    return False


@dataclass(frozen=True)
class PodKind:
    """One kind of node, for the manifests of its pods.

    Attributes:
        name: As in `api.kinds`.
        image: The image of the container `node`.
        command: Replaces the command of the image; None if nothing does.
        input_files: Inputs as files of the pod, by file name.
        input_variables: Inputs as environment variables, by name.
        runs_waypost: The program is ours: it reads the request, talks to the gateway, times itself.
        has_output_sidecar: Whether a sidecar uploads the output of the program to the gateway.
        calls_models: The program calls models, through the model gateway if there is one.
        calls_hosts: The model gateway sends the request of the node, with egress: Gateway.
        attachments: Expressions that give artifacts for the program itself, not for users' code.
    """

    name: str
    image: Callable[[Node, OwnImages], str]
    command: Callable[[Node], list[str] | None] = no_command
    input_files: Callable[[JsonObject], dict[str, str]] = no_texts
    input_variables: Callable[[JsonObject], dict[str, str]] = no_texts
    runs_waypost: bool = True
    has_output_sidecar: Callable[[Node], bool] = no
    calls_models: bool = False
    calls_hosts: bool = False
    attachments: Callable[[Node], list[str]] = no_attachments
