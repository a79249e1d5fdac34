"""The usage that an answer reports, in the form of its interface. Pure: no I/O.

Gateways and servers report it under other names, at other places and in other types. What is not
found there counts as unknown (zero here, estimated later), never as nothing used.
"""

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

Json = dict[str, Any]

# More than any call uses. A larger number is no measurement, and no record could hold it.
_MOST_TOKENS: Final = 10**12
# Small letters without separators: prompt_tokens, promptTokens and Prompt-Tokens are one name.
_ASKED: Final = (
    *("prompttokens", "inputtokens", "prompttokencount", "prompttoken", "inputtokencount"),
    *("promptevalcount", "inputtoken", "tokensin", "numprompttokens", "numinputtokens"),
    *("prompt", "input"),
)
_ANSWERED: Final = (
    *("completiontokens", "outputtokens", "evalcount", "candidatestokencount", "outputtokencount"),
    *("generatedtokens", "generationtokens", "completiontoken", "outputtoken", "tokensout"),
    *("numcompletiontokens", "numoutputtokens", "completion", "output"),
)
_ALL: Final = ("totaltokens", "totaltokencount", "totaltoken", "tokenstotal", "total")
_SEPARATORS: Final = re.compile(r"[-_ ]")
_NUMBER: Final = re.compile(r"(\d+)(\.0*)?", re.ASCII)
_USAGES: Final = ("usage", "usageMetadata", "usage_metadata", "token_usage", "tokenUsage")
# Where servers put the object with the usage, or the counts themselves.
_PARENTS: Final = ("x_groq", "metadata", "meta", "response_metadata")
_INNER: Final = ("tokens", "usage", "billed_units")
# Tokens of an Anthropic answer that are not in input_tokens.
_CACHED: Final = ("cache_read_input_tokens", "cache_creation_input_tokens")


def count(value: Any) -> int:
    """A number of tokens; 0 for what is none."""
    if isinstance(value, str) and (found := _NUMBER.fullmatch(value.strip())):
        value = int(found[1]) if len(found[1]) < 20 else _MOST_TOKENS
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if type(value) is int and 0 <= value < _MOST_TOKENS else 0


def openai_usage(document: Json) -> Json | None:
    """The usage of an answer of type OpenAI; None if it reports none."""
    found = next(_usages(document), None)
    if found is None:
        return None
    asked, answered, total = _counts(found)
    # A sum says what is missing in it, such as thoughts that are not in the tokens of the answer.
    # Of a sum without its parts, most is what was asked.
    if not asked:
        asked = max(total - answered, 0)
    answered = max(answered, total - asked)
    details = {
        name: {key: count(each) for key, each in part.items() if each is not None}
        for name in ("prompt_tokens_details", "completion_tokens_details")
        if isinstance(part := found.get(name), dict)
    }
    known = {"prompt_tokens": asked, "completion_tokens": answered}
    return {**known, **details, "total_tokens": asked + answered}


def anthropic_usage(document: Json) -> Json:
    """The usage of an answer of type Anthropic."""
    found = next(_usages(document), {})
    asked, answered, _ = _counts(found)
    cached = {name: count(found.get(name)) for name in _CACHED if found.get(name) is not None}
    written = found.get("cache_creation")
    if isinstance(written, dict) and not cached.get(_CACHED[1]):
        cached[_CACHED[1]] = sum(map(count, written.values()))
    return {"input_tokens": asked, "output_tokens": answered, **cached}


def google_usage(document: Json) -> Json | None:
    """The usage of an answer of type Google; None if it reports none."""
    found = next(_usages(document), None)
    if found is None:
        return None
    counts = {
        name: count(value)
        for key, value in found.items()
        if (name := _camel(key)).endswith("Count") and value is not None
    }
    asked, answered, total = _counts(found)
    counts |= {"promptTokenCount": asked, "candidatesTokenCount": answered}
    others = sum(counts.get(name, 0) for name in _GOOGLE_OTHERS)
    if asked:
        counts["candidatesTokenCount"] = max(answered, total - others)
    return counts


_GOOGLE_OTHERS: Final = ("promptTokenCount", "toolUsePromptTokenCount", "thoughtsTokenCount")


def _counts(found: Json) -> tuple[int, int, int]:
    """Tokens asked, answered, and both together, under any of their names."""
    plain = {_SEPARATORS.sub("", key).lower(): each for key, each in found.items()}
    return tuple(  # type: ignore[return-value]
        next((n for name in names if (n := count(plain.get(name)))), 0)
        for names in (_ASKED, _ANSWERED, _ALL)
    )


def _usages(document: Json) -> Iterator[Json]:
    """The objects in an answer that report tokens, the usual place first."""
    for place in _places(document):
        parsed = _parsed(place)
        if isinstance(parsed, dict):
            for one in (parsed, *map(parsed.get, _INNER)):
                if isinstance(one, dict) and any(_counts(one)):
                    yield one


def _places(document: Json) -> Iterator[Any]:
    choices = document.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    parents: Iterable[Any] = (document, first, *map(document.get, _PARENTS))
    for parent in parents:
        if isinstance(parent, dict):
            yield from map(parent.get, _USAGES)
    yield document
    yield from map(document.get, _PARENTS)


def _parsed(value: Any) -> Any:
    """An object, also if a gateway has written it as a text."""
    if not isinstance(value, str) or not value.lstrip().startswith("{") or len(value) > 4096:
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return None


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(map(str.capitalize, rest))
