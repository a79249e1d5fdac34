"""S489: the model gateway counts media by what they may cost, not by their size."""

import json
from typing import Any

import pytest
from waypost.model_gateway.core.usage import UsageScanner, estimate

DATA = "A" * 4_000_000  # 3 MB in base64
PARTS = {
    "openai-picture": (
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{DATA}"}},
        1600,
    ),
    "openai-pdf": (
        {"type": "file", "file": {"file_data": f"data:application/pdf;base64,{DATA}"}},
        183_000,
    ),
    "anthropic-picture": (
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": DATA}},
        1600,
    ),
    "google-picture": ({"inlineData": {"mimeType": "image/png", "data": DATA}}, 1600),
    "google-pdf": ({"inline_data": {"mime_type": "application/pdf", "data": DATA}}, 183_000),
}


def call(part: Any, name: str) -> dict[str, Any]:
    """A call with a part."""
    if name.startswith("google"):
        return {"contents": [{"role": "user", "parts": [{"text": "Look."}, part]}]}
    return {"max_tokens": 1, "messages": [{"role": "user", "content": [part]}]}


@pytest.mark.parametrize("name", PARTS)
def test_s489_media(name: str) -> None:
    part, tokens = PARTS[name]
    fields = call(part, name)
    found = estimate(json.dumps(fields).encode(), fields)
    assert tokens <= found.input <= tokens + 100
    assert found.most > 1_300_000


def test_s489_text_that_looks_like_a_field_counts_by_its_size() -> None:
    fields = {"messages": [{"role": "user", "content": f"data:image/png;base64,{DATA}"}]}
    assert estimate(json.dumps(fields).encode(), fields).input > 1_300_000


def test_s489_the_reported_usage_may_be_above_the_estimate() -> None:
    """A provider may charge more for a picture."""
    part, _ = PARTS["openai-picture"]
    fields = call(part, "openai-picture")
    scanner = UsageScanner("OpenAI", estimate(json.dumps(fields).encode(), fields))
    scanner.feed(b'{"usage":{"prompt_tokens":48000,"total_tokens":48010}}')
    assert scanner.tokens == 48010
