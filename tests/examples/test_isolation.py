"""examples/isolation: both pods have the defaults, and one of them its own volume (S370)."""

from typing import Any

import pytest
import yaml
from waypost.ports.cluster import Kind

from tests.examples.conftest import EXAMPLES
from tests.support.harness import NAMESPACE, World, gives
from tests.support.virtual import virtual

MANIFEST: Any = yaml.safe_load((EXAMPLES / "isolation" / "workflow.yaml").read_text("utf-8"))


@virtual
async def test_s370_the_pods_of_the_example() -> None:
    script = {"count": [gives({"words": 4})], "report": [gives("4 words")]}
    async with World(script=script) as world:
        world.start()
        words = {"metadata": {"name": "words"}, "data": {"text": "durable runs on kubernetes"}}
        body = {"apiVersion": "v1", "kind": "ConfigMap", **words}
        await world.user.create(Kind.CONFIG_MAP, namespace=NAMESPACE, body=body)
        await world.submit(MANIFEST["spec"])
        status = await world.finished()
        assert status["outputs"] == {"report": "4 words"}
        jobs = {job["metadata"]["labels"]["waypost.dev/node"]: job for job in world.all(Kind.JOB)}
    for name, sizes in {"count": ("64Mi", 1), "report": ("256Mi", 0)}.items():
        template = jobs[name]["spec"]["template"]
        assert template["metadata"]["labels"]["team"] == "research"
        assert template["spec"]["nodeSelector"] == {"kubernetes.io/os": "linux"}
        volumes = {volume["name"]: volume for volume in template["spec"]["volumes"]}
        assert volumes["tmp"]["emptyDir"]["sizeLimit"] == sizes[0]
        assert len({"user-words", "shm"} & volumes.keys()) == 2 * sizes[1]


@pytest.mark.parametrize("text", ["a b c d"])
def test_the_code_of_the_example(text: str, tmp_path: Any) -> None:
    (tmp_path / "text").write_text(text)
    source = MANIFEST["spec"]["nodes"][0]["python"]["source"]
    names: dict[str, Any] = {}
    exec(source.replace("/data/words", str(tmp_path)), names)
    assert names["run"]() == {"words": 4}
