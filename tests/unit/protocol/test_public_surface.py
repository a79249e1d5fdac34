"""What others import: node images use `waypost.protocol`, agents and users use `waypost_node`.

Users build images on one release and run them with the next, so removing a name breaks them. A new
use in an image is added here; a removed name makes a test here fail.
"""

import ast
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
IMAGES = ROOT / "node-images"

PROTOCOL = {
    "waypost.protocol.agents": {"gated_calls"},
    "waypost.protocol.agents.gated_calls": {
        *("DecidedCall", "GatedCall", "decisions_from_json"),
    },
    "waypost.protocol.agents.sensitive": {"without_marked"},
    "waypost.protocol.artifacts.limits": {
        *("BYTES_HEADER", "CONTENT_TYPE", "FILES_HEADER", "MOST_FILES", "MOUNT", "ROOM_HEADER"),
        *("ATTACHMENT_BYTES", "ATTACHMENT_FILES", "ATTACHMENT_VOLUME", "ATTACHMENTS"),
        "STORE_SECONDS",
    },
    "waypost.protocol.artifacts.media": {"media_tokens"},
    "waypost.protocol.artifacts.request": {"Artifacts", "Content", "Given", "Taken"},
    "waypost.protocol.carrying": {
        *("LARGEST", "OUTPUT_FILE", "SECRET_FOLDERS", "SECRET_VARIABLE"),
    },
    "waypost.protocol.gateways": {"client_credentials"},
    "waypost.protocol.gateways.client_credentials": {
        *("EARLY", "document_of", "error_in", "life_of", "question", "token_in"),
    },
    "waypost.protocol.gateways.trust": {"Trust", "trust_from_text"},
    "waypost.protocol.ijson": {
        *("BigIntegerError", "IJsonError", "Json", "MAX_DEPTH", "NotJsonError"),
        *("canonical", "check", "digest", "parse", "step"),
    },
    "waypost.protocol.isolation": {
        *("MUST_FAIL", "MUST_REACH", "Measured", "NO_DNS", "PATIENCE"),
        *("REPORT", "REPORT_PATIENCE"),
    },
    "waypost.protocol.probe": {
        *("ProbeReason", "REQUEST_FILE", "VERSION", "Verdict", "encode"),
        *("lines_digest", "tool_lines"),
    },
    "waypost.protocol.reasons": {"Reason"},
    "waypost.protocol.record": {
        *("Attempt", "CommitRecord", "LIMIT", "Stored", "encode", "uncut_size"),
    },
    "waypost.protocol.request": {"PythonWork", "Request", "from_json"},
    "waypost.protocol.schema": {
        *(
            "apply_defaults",
            "check_schema",
            "rewrite",
            "takes_as_text",
            "validate",
            "violating_paths",
        ),
    },
    "waypost.protocol.text": {"UNSAFE", "printable", "shorten"},
    "waypost.protocol.timestamps": {"now"},
    "waypost.protocol.work": {"SHARE", "Trace", "Usage", "WorkFailed", "WorkParked", "WorkResult"},
}
NODE = {
    "waypost_node.endpoint_access": {
        *(
            "Keys",
            "Unfit",
            "add_query",
            "address",
            "headers_of",
            "query_of",
            "refused",
            "said_in",
            "trust",
            "unreachable",
        ),
    },
    "waypost_node.gateway": {
        *("FIRST_WAIT", "GatewayError", "LONGEST_WAIT", "Passing", "TIMES"),
        *("content_of", "headers_of", "pause_after"),
        *("given_up", "lost", "options_of"),
    },
    "waypost_node.http": {"error_bodies"},
    "waypost_node.http.error_bodies": {"sentence_of", "status_of"},
    "waypost_node.probe": {"run"},
    "waypost_node.sigterm": {"woken_by_signals"},
    "waypost_node.redaction": {"public"},
    "waypost_node.tls.causes": {"causes"},
    "waypost_node.tls.trust": {"NoTrust", "client_options"},
    "waypost_node.tls.words": {"tls_problem"},
    "waypost_node.user_code": {"jsonable"},
}
Name = tuple[str, str]  # module, name


def uses(folder: Path, package: str) -> set[Name]:
    """Every name of the modules of `package` that the code in `folder` imports or reads."""
    return {
        found
        for path in folder.rglob("*.py")
        for found in _uses_in(ast.parse(path.read_text()), package)
    }


def _uses_in(tree: ast.Module, package: str) -> Iterator[Name]:
    modules: dict[str, str] = {}  # local name of an imported module
    for statement in ast.walk(tree):
        if not isinstance(statement, ast.ImportFrom):
            continue
        for alias in statement.names:
            if statement.module == package:
                modules[alias.asname or alias.name] = f"{package}.{alias.name}"
            elif (statement.module or "").startswith(f"{package}."):
                yield str(statement.module), alias.name
    for part in ast.walk(tree):
        if isinstance(part, ast.Attribute) and isinstance(part.value, ast.Name):
            module = modules.get(part.value.id)
            if module is not None:
                yield module, part.attr


def listed(table: dict[str, set[str]]) -> set[Name]:
    return {(module, name) for module, names in table.items() for name in names}


@pytest.mark.parametrize(
    ("folder", "package", "table"),
    [
        pytest.param(IMAGES, "waypost.protocol", PROTOCOL, id="protocol-in-images"),
        pytest.param(IMAGES / "agent", "waypost_node", NODE, id="runner-in-the-agent"),
    ],
)
def test_everything_that_images_use_is_pinned(
    folder: Path, package: str, table: dict[str, set[str]]
) -> None:
    used = uses(folder, package)
    assert used, "the search finds something"
    assert used - listed(table) == set()


@pytest.mark.parametrize(("module", "name"), sorted(listed(PROTOCOL) | listed(NODE)))
def test_pinned_names_exist(module: str, name: str) -> None:
    is_module = f"{module}.{name}" in PROTOCOL
    assert is_module or hasattr(import_module(module), name)


def test_user_code_may_import_inputs_alone() -> None:
    import waypost_node

    assert waypost_node.__all__ == ["inputs"]
