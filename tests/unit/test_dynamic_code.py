"""S702: where our programs start other programs, or execute text. What is not listed here does
neither, so no field of a run, answer or file can make it."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
PRODUCT: Final = (
    "operator/waypost",
    "node-images/runner/waypost_node",
    "node-images/agent/waypost_agent",
)
_MODULES: Final = {"subprocess", "pty", "pickle", "marshal", "shelve", "jinja2", "ctypes"}
_CALLS: Final = {
    *("eval", "exec", "__import__"),
    *(
        "os.system",
        "os.popen",
        "os.execv",
        "os.execve",
        "os.execvp",
        "os.execvpe",
        "os.posix_spawn",
    ),
    *("asyncio.create_subprocess_exec", "asyncio.create_subprocess_shell", "anyio.open_process"),
    "StdioServerParameters",
    *("yaml.load", "yaml.unsafe_load", "yaml.full_load"),
}
_METHODS: Final = {"extractall", "extract"}

# The module, what it uses, and why that is no way in.
KNOWN: Final = {
    ("operator/waypost/adapters/evaluation/pool.py", "subprocess"): "our evaluator, no argument",
    (
        "operator/waypost/expressions/cel.py",
        "ctypes",
    ): "counts references of one object of the library",
    (
        "node-images/agent/waypost_agent/discover.py",
        "StdioServerParameters",
    ): "the program of the ToolServer, in the image that it names",
    (
        "node-images/agent/waypost_agent/tools/mcp_tools.py",
        "StdioServerParameters",
    ): "the program of the ToolServer, in the image that it names",
    ("node-images/runner/waypost_node/user_code.py", "exec"): "the code of the node, in its pod",
    ("node-images/runner/waypost_node/modules.py", "exec"): "the code of the node, in its pod",
}


def _used(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names if name.name in _MODULES)
        elif isinstance(node, ast.ImportFrom) and node.module in _MODULES:
            yield node.module
        elif isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            if called in _CALLS or (called.rpartition(".")[2] in _METHODS and "." in called):
                yield called


def test_s702_nothing_else_starts_a_program_or_executes_text() -> None:
    found = {
        (file.relative_to(ROOT).as_posix(), used)
        for folder in PRODUCT
        for file in sorted((ROOT / folder).rglob("*.py"))
        for used in _used(ast.parse(file.read_text(encoding="utf-8")))
    }
    assert found == set(KNOWN)
