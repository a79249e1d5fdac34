"""The settings of a process, as its command reads them."""

from collections.abc import Callable
from typing import TypeVar

from waypost.cli.errors import CommandError, Exit

T = TypeVar("T")


def read_settings(load: Callable[[], T]) -> T:
    """The settings that `load` reads from the environment.

    Raises:
        CommandError: One is missing or invalid.
    """
    from waypost.settings import SettingsError

    try:
        return load()
    except SettingsError as error:
        raise CommandError(str(error), code=Exit.USAGE) from error
