"""Write argocd-cm.yaml, the patch with the scripts of all kinds, from the folders beside it.

    python scripts/argocd_settings.py [--check]

`--check` writes nothing and fails if the file differs.
"""

import sys
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parents[1] / "charts" / "waypost" / "files" / "argocd"
SETTINGS = FOLDER / "argocd-cm.yaml"
GROUP = "waypost.dev"
HEADER = (
    "# Patch of the ConfigMap argocd-cm, generated from resource_customizations (`make gitops`).\n"
)


class _Dumper(yaml.SafeDumper):
    """Writes scripts as blocks."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


def _dump(document: Any) -> str:
    return yaml.dump(document, Dumper=_Dumper, sort_keys=False, width=1000)


def _actions(folder: Path) -> str:
    definitions = [
        {"name": path.parent.name, "action.lua": path.read_text()}
        for path in sorted(folder.glob("*/action.lua"))
    ]
    discovery = (folder / "discovery.lua").read_text()
    return _dump({"discovery.lua": discovery, "definitions": definitions})


def settings() -> str:
    """The text of the file."""
    data: dict[str, str] = {}
    for folder in sorted((FOLDER / "resource_customizations" / GROUP).iterdir()):
        key = f"{GROUP}_{folder.name}"
        data[f"resource.customizations.health.{key}"] = (folder / "health.lua").read_text()
        if (folder / "actions").exists():
            data[f"resource.customizations.actions.{key}"] = _actions(folder / "actions")
    return HEADER + _dump({"data": data})


def main() -> int:
    """Write or compare; the exit code."""
    made = settings()
    if "--check" not in sys.argv[1:]:
        SETTINGS.write_text(made)
        return 0
    if SETTINGS.exists() and SETTINGS.read_text() == made:
        return 0
    print(f"{SETTINGS.name} is not what resource_customizations gives: run `make gitops`")
    return 1


if __name__ == "__main__":
    sys.exit(main())
