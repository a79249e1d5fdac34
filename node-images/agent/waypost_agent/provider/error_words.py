"""What the words of a provider's error say beside its HTTP status. Pure: no I/O.

Providers and gateways send the same trouble with different statuses: a filter as 400, a model with
too much to do as 424 or 400, an account without credit as 400. An error that its words do not
explain is judged by its status alone.
"""

import re
from typing import Final, Literal

Meaning = Literal["filtered", "credit", "key", "busy"]

# Statuses of requests that are refused for what they hold; their words may say something else.
_REFUSED: Final = frozenset({400, 403, 406, 422, 424, 451})
# Statuses of gateways for a server that gave no answer, or has no capacity now.
_PASSING: Final = frozenset({424, 498, 499})
_WORDS: Final[tuple[tuple[Meaning, re.Pattern[str]], ...]] = (
    ("filtered", re.compile(
        r"content[-_ ]?filter|content management policy|responsible_?ai|content[-_ ]policy|"
        r"safety system|moderation|data_?inspection_?failed|inappropriate content|"
        r"content exists risk|(input|prompt|request) was flagged|prompt was blocked|"
        r"guardrail_intervened|prohibited_content", re.I)),
    ("credit", re.compile(
        r"insufficient[-_ ](quota|balance|credit|fund)|credit balance|out of credits?|"
        r"needs? (more )?credits|payment required|billing_(error|hard_limit)|arrears|"
        r"quota (is )?(exhausted|used up)", re.I)),
    ("key", re.compile(
        r"api[-_ ]?key (is )?(not valid|invalid|expired)|(invalid|incorrect|expired)[-_ ]"
        r"(x-)?api[-_ ]?key|api_key_invalid", re.I)),
    ("busy", re.compile(
        r"overload|throttl|(at|over|no|insufficient|exceeded) capacity|capacity (is )?exceeded|"
        r"(server|model|engine)[-_ ](is )?(currently )?(busy|loading|not ready)|"
        r"temporarily unavailable|too many concurrent", re.I)),
)  # fmt: skip


def meaning_of(status: int, words: str) -> Meaning | None:
    """What an error means whose status stands for a request that is wrong; None if its words say
    nothing else.

    Args:
        status: The HTTP status.
        words: The whole body of the error, or its sentence.
    """
    if status in _REFUSED:
        found = next((kind for kind, known in _WORDS if known.search(words)), None)
        if found is not None:
            return found
    return "busy" if status in _PASSING else None
