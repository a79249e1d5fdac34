"""How a command ends, and how it says that it could not do its work."""

from enum import IntEnum


class Exit(IntEnum):
    """Exit codes of every command."""

    OK = 0
    FAILED = 1  # the work was done and the answer is bad, or it could not be done
    USAGE = 2  # arguments, files or settings are wrong
    NOT_FOUND = 3  # the named object, its namespace or its kind does not exist
    CLUSTER = 4  # the cluster cannot be reached, or refuses
    INTERRUPTED = 130


class CommandError(Exception):
    """A command cannot do its work. The message says what was found and how to repair it; `main`
    prints it in place of a traceback and exits with `code`."""

    def __init__(self, message: str, *, code: Exit = Exit.FAILED) -> None:
        super().__init__(message)
        self.code = code
