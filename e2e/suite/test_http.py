"""http nodes and images of users on a real cluster."""

import pytest

from e2e.cluster import api
from e2e.suite import outside
from e2e.suite.build import schema, workflow
from e2e.suite.space import Space, node_of
from e2e.suite.test_providers import secret

KEY = "http-canary-71c0de"
LIST = {
    "type": "object",
    "required": ["data"],
    "properties": {"data": {"type": "array", "items": schema(id="string")}},
}


@pytest.fixture(scope="module")
def guarded(space: Space, cluster: api.Cluster) -> str:
    """Base URL of a server that opens for KEY, which Secret `door` holds; it echoes wrong keys."""
    secret(space, "door", key=KEY, wrong=f"{KEY}-wrong")
    return outside.start_guarded(space, cluster.images["runner"], key=KEY)


def asking(guarded: str, key: str, **fields: object) -> dict[str, object]:
    auth = {"bearer": {"name": "door", "key": key}}
    return {"url": f"{guarded}/${{self.inputs.what}}", "auth": auth, **fields}


def test_an_answer_is_typed_and_feeds_the_graph(space: Space, guarded: str) -> None:
    run = workflow("asked").node(
        "ask", http=asking(guarded, "key", responseSchema=LIST), inputs={"what": "a b/c"}
    )
    run = run.python(
        "tell", "return models[0]['id']", inputs={"models": "${nodes.ask.output.body.data}"}
    )
    seen = space.start(run).succeeded()
    assert node_of(seen, "ask")["output"]["status"] == 200
    assert node_of(seen, "tell")["output"] == "small"


def test_a_refusal_is_told_without_the_key_that_was_echoed(space: Space, guarded: str) -> None:
    run = space.start(
        workflow("refused").node("ask", http=asking(guarded, "wrong"), inputs={"what": "x"})
    )
    run.finished()
    node = run.node("ask")
    assert (node["phase"], node["reason"]) == ("Failed", "NodeError")
    assert "401" in node["message"]
    assert KEY not in str(run.read()), "the server echoed it"


def test_what_comes_back_must_meet_its_schema(space: Space, guarded: str) -> None:
    wrong = schema(items="array")
    run = space.start(
        workflow("untyped").node(
            "ask", http=asking(guarded, "key", responseSchema=wrong), inputs={"what": "x"}
        )
    )
    run.finished()
    node = run.node("ask")
    assert (node["phase"], node["reason"]) == ("Failed", "OutputInvalid")
    assert "items" in node["message"]


def test_a_python_node_in_an_image_of_the_users_own(space: Space, cluster: api.Cluster) -> None:
    image = outside.mcp_image(cluster)  # built on the agent's, with programs of others in it
    body = "import shutil\nreturn shutil.which('mcp-server-time')"
    run = workflow("own-image").python("look", body, kind={"image": image})
    run = run.node("call", python={"function": "desk:run", "image": image}, inputs={"n": 2})
    run = run.having(modules={"desk": "def run(n: int) -> int:\n    return n * 21\n"})
    seen = space.start(run).succeeded()
    assert node_of(seen, "look")["output"] == "/opt/mcp/bin/mcp-server-time"
    assert node_of(seen, "call")["output"] == 42
