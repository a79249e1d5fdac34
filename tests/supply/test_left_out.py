"""What the image of the operator leaves out of its packages, and that nothing of ours needs it."""

import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import pytest
import yaml

DOCKERFILE: Final = Path(__file__).parents[2] / "node-images/operator/Dockerfile"
KUBECONFIG: Final = {
    "apiVersion": "v1",
    "kind": "Config",
    "current-context": "here",
    "contexts": [{"name": "here", "context": {"cluster": "here", "user": "me"}}],
    "clusters": [{"name": "here", "cluster": {"server": "https://api:1"}}],
    "users": [{"name": "me", "user": {"token": "t"}}],
}
# A start that refuses the modules that the image does not have.
USED: Final = r"""
import asyncio, importlib, re, sys
from pathlib import Path

class Image:
    def find_spec(self, name, path=None, target=None):
        gone = re.compile(
            r"kubernetes(\.aio)?\.client\.(models|api)\..+|cel_expr_python\.ext\.ext_(\w+)"
            r"|.*\.(tests|testing)(\..+)?|.*_test"
        ).fullmatch(name)
        if gone and gone[3] not in ("math", "optional", "strings"):
            raise ModuleNotFoundError(f"the image does not have {name}")

sys.meta_path.insert(0, Image())
import waypost.main, waypost.cli.app
for service in ("admission", "archive", "gateway", "ingress", "model_gateway", "notifier"):
    importlib.import_module(f"waypost.{service}.main")
from waypost.adapters.credentials import KubeconfigSource
found = asyncio.run(KubeconfigSource(path=Path(sys.argv[1])).current())
assert (found.server, found.authorization) == ("https://api:1", "Bearer t"), found
"""


def test_nothing_of_ours_needs_what_is_left_out(tmp_path: Path) -> None:
    kubeconfig = tmp_path / "config"
    kubeconfig.write_text(yaml.safe_dump(KUBECONFIG))
    argv = [sys.executable, "-c", USED, str(kubeconfig)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("extension", ["bindings", "encoders", "proto"])
def test_what_is_left_out_of_cel_is_there_to_leave_out(extension: str) -> None:
    """`rm` would fail in the build else, and a new part of CEL would be noticed by its size."""
    assert f"ext/ext_{extension}.*" in DOCKERFILE.read_text()
    spec = find_spec("cel_expr_python.ext")
    assert spec is not None
    [folder] = spec.submodule_search_locations or []
    names = {
        match[1] for one in Path(folder).iterdir() if (match := re.match(r"ext_(\w+)\.", one.name))
    }
    assert names == {"bindings", "encoders", "proto", "math", "optional", "strings"}
