"""What values of others lack, in words without the library's dump."""

import pydantic


def first_problem(error: pydantic.ValidationError) -> str:
    """The first field that is not as expected, and why, without its value."""
    first = error.errors(include_url=False, include_input=False)[0]
    # Steps with a capital are classes of the library, not fields of the value.
    path = ".".join(step for step in map(str, first["loc"]) if not step[:1].isupper())
    return f"{path}: {first['msg'].lower().partition(' or instance of ')[0]}"
