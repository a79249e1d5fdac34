"""A node whose tool server wants an OAuth token."""

from pathlib import Path

from waypost.protocol.reasons import Reason

from tests.agent.pods import Pod
from tests.agent.replies import reply
from tests.runner.servers import serving


def test_a_token_that_is_refused_names_the_tool_server(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("client-canary")
    with serving(reply({"error": "invalid_scope"}, status=400)) as server:
        oauth = {
            "tokenUrl": f"{server.url}/token",
            "clientId": "me",
            "clientSecretFile": str(tmp_path / "secret"),
        }
        tools = [{"server": "mail", "url": f"{server.url}/mcp", "allow": ["send"], "oauth": oauth}]
        failed = Pod(tmp_path, server.url).fail("any", tools=tools)
    assert failed.reason is Reason.PROVIDER_ERROR
    assert failed.message.startswith(f"tool server mail: token server {server.url}/token refused")
    assert "invalid_scope" in failed.message
