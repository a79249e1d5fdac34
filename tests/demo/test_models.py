"""Who drafts in the demo, and that a key shows nowhere."""

import base64
from typing import Any

import pytest
import yaml
from waypost.api.provider import ModelProviderSpec
from waypost.dev.script import parse

from e2e.demo import models
from e2e.demo.run import script, template

KEY = "sk-canary-1234"


def choose(**environ: str) -> models.Choice:
    return models.choose(environ, operator_image="w/op:1", script=script())


def kinds(choice: models.Choice) -> dict[str, dict[str, Any]]:
    return {manifest["kind"]: manifest for manifest in choice.manifests}


@pytest.mark.parametrize(
    ("environ", "type_", "url"),
    [
        pytest.param({"OPENAI_API_KEY": KEY}, "OpenAI", None, id="openai"),
        pytest.param(
            {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": "http://h/v1/"},
            "OpenAI",
            "http://h/v1",
            id="gateway",
        ),
        pytest.param({"ANTHROPIC_API_KEY": KEY}, "Anthropic", None, id="anthropic"),
        pytest.param({"GEMINI_API_KEY": KEY, "OPENAI_API_KEY": ""}, "Google", None, id="google"),
    ],
)
def test_a_key_is_used_and_said(environ: dict[str, str], type_: str, url: str | None) -> None:
    choice = choose(**environ)
    assert not choice.scripted
    assert choice.key_name in choice.said
    assert KEY not in repr(choice) + choice.said
    made = kinds(choice)
    spec = ModelProviderSpec.model_validate(choice.provider()["spec"])
    assert (spec.type, spec.base_url) == (type_, url)
    assert spec.models
    assert [entry.name for entry in spec.models] == [choice.model]
    assert base64.b64decode(made["Secret"]["data"]["key"]).decode() == KEY


@pytest.mark.parametrize(
    "environ", [{}, {"OPENAI_API_KEY": KEY, models.FORCED: "scripted"}], ids=["no-key", "forced"]
)
def test_without_a_key_the_script_answers_and_says_so(environ: dict[str, str]) -> None:
    choice = choose(**environ)
    assert choice.scripted
    assert "no model is behind them" in choice.said
    made = kinds(choice)
    assert set(made) == {"ConfigMap", "Deployment", "Service"}
    assert "release-notes" in parse(made["ConfigMap"]["data"]["script.yaml"], source="d").scripts
    for address, url in (("10.0.0.1", "http://10.0.0.1/v1"), ("fd00::1", "http://[fd00::1]/v1")):
        spec = ModelProviderSpec.model_validate(choice.provider(address=address)["spec"])
        assert (spec.base_url, spec.api_key) == (url, None)


def test_another_model_may_be_named() -> None:
    choice = choose(OPENAI_API_KEY=KEY, WAYPOST_DEMO_MODEL="gpt-9")
    assert choice.model == "gpt-9"
    assert "models" not in choice.provider()["spec"], "no price is known"


def test_the_model_gets_into_the_workflow() -> None:
    spec = yaml.safe_load(models.with_model(template(), "claude-haiku-4-5"))["spec"]
    assert spec["defaults"]["agent"]["model"] == {"provider": "default", "name": "claude-haiku-4-5"}
    with pytest.raises(ValueError, match="names no model"):
        models.with_model("spec: {}", "x")
