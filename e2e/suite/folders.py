"""A folder that travels through three nodes: made by Python code, changed by a foreign image, read
by Python code."""

from typing import Any

from waypost.protocol.artifacts.limits import DEFAULT_BYTES

from e2e.suite.build import Workflow, workflow

Obj = dict[str, Any]
FOLDER = "/data/repo"
MAKE = f"""
def run(size):
    import os
    from pathlib import Path
    root = Path("{FOLDER}")
    (root / "src" / ("n" * 120)).mkdir(parents=True)
    (root / "src" / "main.py").write_text("print(1)")
    (root / "src" / ("n" * 120) / "größe").write_text("far down")
    (root / "run.sh").write_text("#!/bin/sh")
    (root / "run.sh").chmod(0o755)
    (root / "src" / "link").symlink_to("../run.sh")
    with open(root / "noise", "wb") as file:
        for _ in range(size):
            file.write(os.urandom(1_000_000))
    return len(list(root.rglob("*")))
"""
PASS_ON = f"""
    import json, os
    from pathlib import Path
    root = Path("{FOLDER}")
    (root / "cache").mkdir()
    (root / "cache" / "made").write_text("by a foreign image")
    (root / "cache" / "made").unlink()
    (root / "cache").rmdir()
    with open(os.environ["WAYPOST_OUTPUT"], "w") as out:
        json.dump(sorted(p.name for p in root.iterdir()), out)
"""
READ = f"""
def run():
    import os
    from pathlib import Path
    root = Path("{FOLDER}")
    try:
        (root / "new").write_text("x")
        writable = True
    except OSError:
        writable = False
    return {{
        "link": os.readlink(root / "src" / "link"),
        "runs": os.access(root / "run.sh", os.X_OK),
        "deep": (root / "src" / ("n" * 120) / "größe").read_text(),
        "noise": (root / "noise").stat().st_size,
        "writable": writable,
    }}
"""
OUT = {"name": "repo", "path": FOLDER}


def taken(node: str, **fields: Any) -> Obj:
    """An entry of artifacts.in."""
    return {"from": f"${{nodes.{node}.artifacts.repo}}", "path": FOLDER, **fields}


def three_nodes(
    name: str,
    runner: str,
    *,
    megabytes: int,
    most: int = DEFAULT_BYTES,
    resources: Obj | None = None,
    **fields: Any,
) -> Workflow:
    """`make` makes the folder, `pass_on` (a container) takes and gives it, `read` reads it.

    Args:
        name: Name of the run.
        runner: An image with Python.
        megabytes: Size of the file that does not compress.
        most: maxBytes of the folders.
        resources: Of each node.
        fields: Further fields of each node.
    """
    kind = {"resources": resources} if resources else {}
    run = workflow(name).having(outputs={"repo": "${nodes.pass_on.artifacts.repo}"})
    out = [{**OUT, "maxBytes": most}]
    made: Obj = {"inputs": {"size": megabytes}, "artifacts": {"out": out}}
    run.python("make", MAKE, kind=kind, **made, **fields)
    moved = {"in": [taken("make", writable=True)], "out": out}
    run.container("pass_on", runner, PASS_ON, kind=kind, artifacts=moved, **fields)
    read = {"in": [taken("pass_on")]}
    return run.python("read", READ, kind=kind, artifacts=read, **fields)
