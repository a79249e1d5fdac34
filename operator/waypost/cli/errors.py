"""Exit codes of commands, and the error that a command raises."""

from collections.abc import Iterable
from enum import IntEnum


class Exit(IntEnum):
    """Exit codes of every command."""

    OK = 0
    FAILED = 1  # the check found problems, or the command failed
    USAGE = 2  # wrong arguments, files or settings
    NOT_FOUND = 3  # the object, its namespace or its kind does not exist
    CLUSTER = 4  # the cluster cannot be reached or denies access
    TIMEOUT = 5  # what the command waited for has not happened in time
    INTERRUPTED = 130


class CommandError(Exception):
    """A command failed. The message says what is wrong and how to fix it; `main` prints it instead
    of a traceback and exits with `code`."""

    def __init__(self, message: str, *, code: Exit = Exit.FAILED) -> None:
        super().__init__(message)
        self.code = code


class AccessDenied(CommandError):
    """The user has no right to do this (403)."""

    def __init__(self, message: str) -> None:
        super().__init__(message, code=Exit.CLUSTER)


class NotAuthenticated(CommandError):
    """The API server does not accept the credentials (401)."""

    def __init__(self, message: str) -> None:
        super().__init__(message, code=Exit.CLUSTER)


class NotNow(CommandError):
    """The API server cannot answer now, and says so; the same request may succeed after
    `retry_after` seconds."""

    def __init__(self, message: str, *, retry_after: float = 1.0) -> None:
        super().__init__(message, code=Exit.CLUSTER)
        self.retry_after = retry_after


def no_node(run: str, node: str, known: Iterable[str]) -> CommandError:
    """The error for a node that a run does not have. `known`: the nodes that it has."""
    text = f"no node {node!r} in {run}; its nodes are: {', '.join(known) or 'none'}"
    return CommandError(text, code=Exit.NOT_FOUND)
