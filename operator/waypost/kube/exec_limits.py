"""What Linux can pass to a program as an argument or an environment variable (execve(2))."""

from typing import Final

LONGEST_STRING: Final = 128 * 1024 - 1  # bytes: MAX_ARG_STRLEN without the final NUL
_AS_INPUT: Final = "pass it as an input, which is a file"


def exec_problem(text: str) -> str | None:
    """Why Linux cannot pass `text` to a program as an argument or a variable (`NAME=value`).

    Without this check the container would not start, with only "invalid argument" as message.

    Returns:
        The problem and what to do about it; None if there is none.
    """
    if "\0" in text:
        return (
            f"contains a NUL character, which an argument or variable must not contain; {_AS_INPUT}"
        )
    size = len(text.encode("utf-8", "replace"))
    if size > LONGEST_STRING:
        return f"has {size} bytes, the limit of Linux is {LONGEST_STRING}; {_AS_INPUT}"
    return None
