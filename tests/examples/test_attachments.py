"""examples/attachments with its own program and its own script: the chart reaches the model."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from waypost.compiler.definition import define
from waypost.protocol.artifacts.request import Artifacts, Taken
from waypost_node.artifacts.pack import Packing

from tests.agent.pods import Pod, model_server
from tests.examples.conftest import EXAMPLES

FOLDER = EXAMPLES / "attachments"
SPEC: Any = yaml.safe_load((FOLDER / "workflow.yaml").read_text(encoding="utf-8"))["spec"]
DRAW, DESCRIBE = SPEC["nodes"]


def test_the_chart_reaches_the_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "attachments" / "0"
    folder.mkdir(parents=True)
    names: dict[str, Any] = {}
    source = DRAW["python"]["source"]
    exec(source.replace("/data/pictures", str(folder)), names)
    names["run"](SPEC["inputs"]["values"])
    content = Packing(str(folder), max_bytes=1_000_000).measure()
    monkeypatch.setenv("WAYPOST_ATTACHMENTS", str(folder.parent))
    agent = DESCRIBE["agent"]
    with model_server((FOLDER / "model-script.yaml").read_text(encoding="utf-8")) as url:
        result = Pod(tmp_path, url).perform(
            SPEC["defaults"]["agent"]["model"]["name"],
            model={"inputs": ["Image"]},
            output_schema=DESCRIBE["outputSchema"],
            artifacts=Artifacts((Taken("attachment-0", "", content),)),
            instructions=agent["instructions"],
            prompt=agent["prompt"],
        )
    assert result.output == {"bar": 6}


def test_it_has_no_problems() -> None:
    definition = define(SPEC)
    assert (definition.problems, definition.warnings) == ((), ())
