"""Validation rules for durations."""

from waypost.api.base import DURATION_PATTERN
from waypost.api.crd.cel_rule import Cel, Rule


def not_zero(field: str) -> Rule:
    """A duration of zero would expire before it starts."""
    return Rule(
        "self.matches('[1-9]')",
        [
            f"{field} must be greater than zero; set a duration such as 90s or 10m, "
            f"or remove {field}"
        ],
        place=field,
    )


DURATION_TEXT = (
    Rule(
        f"self.matches('{DURATION_PATTERN}')",
        [
            Cel("self"),
            " is not a duration; use whole numbers of h, m, s and ms, such as 90s, 10m or 1h30m "
            "(a day is 24h)",
            Cel("""(self.contains("${") ? ". ${...} is not evaluated in this field" : "")"""),
        ],
    ),
)
