"""What the API server refuses about a duration by itself."""

from waypost.api.base import DURATION_PATTERN
from waypost.api.crd.cel_rule import Cel, Rule


def not_zero(field: str) -> Rule:
    """A clock that has run out before it starts is a mistake."""
    return Rule(
        f"!has(self.{field}) || self.{field}.matches('[1-9]')",
        [
            f"a {field} of zero has always run out; write a duration such as 90s or 10m, "
            f"or leave {field} out"
        ],
        field_path=f".{field}",
    )


DURATION_TEXT = (
    Rule(
        f"self.matches('{DURATION_PATTERN}')",
        [
            Cel("self"),
            " is not a duration; use whole numbers of h, m, s and ms, such as 90s, 10m or 1h30m "
            "(a day is 24h)",
        ],
    ),
)
