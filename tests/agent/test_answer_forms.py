"""Answers of providers in other forms, judged without a provider: finish reasons, names, contents,
usage. `test_malformed_answers.py` plays such answers in a node."""

import json
from typing import Any

import pytest
from pydantic_ai.messages import ModelResponse, TextPart
from waypost.protocol.reasons import Reason
from waypost_agent.provider import answer_bodies, answers, reported_usage

from tests.agent.malformed import body

CUT, NO, FAILED = Reason.OUTPUT_INVALID, Reason.REFUSED, Reason.PROVIDER_ERROR
# Words of servers and gateways for why an answer ended, and what becomes of it (K8).
WORDS = [
    # A limit, however it is called: the text is not whole.
    ("limit_reached", CUT),
    ("LIMIT-EXCEEDED", CUT),
    ("stopped_limit", CUT),
    ("context_limit", CUT),
    ("context_full", CUT),
    ("context overflow", CUT),
    ("max_context", CUT),
    ("cutoff", CUT),
    ("cut_off", CUT),
    ("partial", CUT),
    ("char_limit", CUT),
    ("hit_limit", CUT),
    ("too_long", CUT),
    ("reached_max", CUT),
    ("max", CUT),
    ("model_limit", CUT),
    ("input_limit", CUT),
    ("ERROR_LIMIT", CUT),
    ("STOP_REASON_LIMIT", CUT),
    ("size-limit", CUT),
    # Limits of other things: the answer may be whole another time, or it is not the tokens.
    ("rate_limit", FAILED),
    ("rate_limit_reached", FAILED),
    ("time_limit", FAILED),
    ("time-limit-exceeded", FAILED),
    ("quota_limit", FAILED),
    ("IMAGE_PROHIBITED_CONTENT", NO),
    ("function_filter", NO),
    # Ends like any other.
    ("maximal", None),
    ("unlimited", None),
    ("sentence", None),
    ("partially_sampled_stop", CUT),
    ("end_of_turn", None),
]


@pytest.mark.parametrize(("word", "reason"), WORDS, ids=[word for word, _ in WORDS])
def test_words_for_an_end(word: str, reason: Reason | None) -> None:
    response = ModelResponse(parts=[TextPart("half")], provider_details={"finish_reason": word})
    found = answers.problem_of(response, max_tokens=None)
    assert (found and found.reason) is reason


LONG = "m" * 1_000_000
# Ids of answers and names of models stand in traces, records and the journal (K9).
NAMES = [
    pytest.param("gpt", "gpt", id="name"),
    pytest.param(LONG, "", id="1-MB"),
    pytest.param("m" * 256, "m" * 256, id="longest"),
    pytest.param("m" * 257, "", id="too-long"),
    pytest.param(None, "", id="null"),
    pytest.param(["m"], "", id="list"),
    pytest.param(5, "5", id="number"),
    pytest.param(True, "", id="boolean"),
]


@pytest.mark.parametrize(("given", "kept"), NAMES)
@pytest.mark.parametrize(
    ("type_", "fields"),
    [
        ("OpenAI", ("model", "id")),
        ("Anthropic", ("model", "id")),
        ("Google", ("modelVersion", "responseId")),
    ],
    ids=["OpenAI", "Anthropic", "Google"],
)
def test_names_that_answers_bring_are_bounded(
    type_: str, fields: tuple[str, str], given: Any, kept: str
) -> None:
    document = body(type_) | dict.fromkeys(fields, given)
    found = answer_bodies.cleaned(document, type_=type_)
    assert [found[field] or "" for field in fields] == [kept, kept]


CONTENTS = [
    pytest.param("hello", "hello", id="text"),
    pytest.param(None, None, id="null"),
    pytest.param([{"type": "text", "text": "a"}], [{"type": "text", "text": "a"}], id="parts"),
    pytest.param({"type": "text", "text": "hello"}, "hello", id="one-part"),
    pytest.param({"cause": "db"}, '{"cause": "db"}', id="parsed-json"),
    pytest.param({"text": 5}, '{"text": 5}', id="parsed-json-with-a-text"),
    pytest.param(42, "42", id="number"),
    pytest.param(0, "0", id="zero"),
    pytest.param(False, "false", id="boolean"),
    pytest.param([{"type": "output_text", "text": "a"}], [{"type": "text", "text": "a"}],
                 id="part-of-the-responses-interface"),
    pytest.param("\ufeff{}", "{}", id="byte-order-mark"),
]  # fmt: skip


@pytest.mark.parametrize(("given", "kept"), CONTENTS)
def test_content_in_another_form_is_what_the_model_wrote(given: Any, kept: Any) -> None:
    """A gateway may parse the JSON that its model wrote; the answer is paid for."""
    document = body()
    document["choices"][0]["message"]["content"] = given
    found = answer_bodies.cleaned(document, type_="OpenAI")
    assert found["choices"][0]["message"]["content"] == kept


MESSAGES = [
    pytest.param({"delta": {"role": "assistant", "content": "hello"}}, "hello", id="of-a-stream"),
    pytest.param({"text": "hello"}, "hello", id="of-completions"),
    pytest.param({"message": {"content": "hello"}, "delta": {"content": ""}}, "hello", id="both"),
]


@pytest.mark.parametrize(("choice", "kept"), MESSAGES)
def test_a_message_in_another_place_is_the_message(choice: Any, kept: str) -> None:
    document = {**body(), "choices": [{"index": 0, "finish_reason": "stop", **choice}]}
    found = answer_bodies.cleaned(document, type_="OpenAI")
    assert found["choices"][0]["message"]["content"] == kept


# Names and types of counts (K11): what is not found is estimated, never zero.
USAGES = [
    pytest.param({"prompt": 10, "completion": 5, "total": 15}, (10, 5), id="short-names"),
    pytest.param({"input": 10, "output": 5}, (10, 5), id="input-and-output"),
    pytest.param({"tokens_in": 10, "tokens_out": 5}, (10, 5), id="in-and-out"),
    pytest.param({"num_prompt_tokens": 10, "num_completion_tokens": 5}, (10, 5), id="num"),
    pytest.param({"prompt-tokens": 10, "completion-tokens": 5}, (10, 5), id="kebab"),
    pytest.param({"PromptTokens": 10, "CompletionTokens": 5}, (10, 5), id="pascal"),
    pytest.param({"PROMPT_TOKENS": 10, "COMPLETION_TOKENS": 5}, (10, 5), id="capitals"),
    pytest.param({"prompt tokens": 10, "completion tokens": 5}, (10, 5), id="spaces"),
    pytest.param({"input_token": 10, "output_token": 5}, (10, 5), id="singular"),
    pytest.param({"prompt_tokens": "10.0", "completion_tokens": "5.0"}, (10, 5), id="decimals"),
    pytest.param({"prompt_tokens": 10, "total": 15}, (10, 5), id="short-total"),
    pytest.param({"prompt_tokens": "1,234", "completion_tokens": 5}, (0, 5), id="thousands"),
    pytest.param({"prompt_tokens": "1e3", "completion_tokens": 5}, (0, 5), id="exponent"),
    pytest.param({"prompt_tokens": "10.5", "completion_tokens": 5}, (0, 5), id="half-a-token"),
    pytest.param({"prompt_tokens": "١٠", "completion_tokens": 5}, (0, 5), id="other-digits"),
    pytest.param({"prompt": "Say hello", "completion": "hello"}, None, id="texts"),
    pytest.param({"input": {"tokens": 10}, "output": [5]}, None, id="objects"),
]


@pytest.mark.parametrize(("usage", "counts"), USAGES)
def test_counts_under_other_names(usage: Any, counts: tuple[int, int] | None) -> None:
    found = reported_usage.openai_usage({**body(), "usage": usage})
    assert (found and (found["prompt_tokens"], found["completion_tokens"])) == counts


def test_what_is_cleaned_is_json() -> None:
    for type_ in ("OpenAI", "Anthropic", "Google"):
        json.dumps(answer_bodies.cleaned(body(type_), type_=type_))
