"""Folders between nodes, without an object store: they are in NodeRecords."""

import httpx2

from e2e.suite.build import workflow
from e2e.suite.folders import FOLDER, OUT, three_nodes
from e2e.suite.forwarding import forwarded
from e2e.suite.space import Space, node_of
from e2e.suite.uploads import under_way

NO_RETRY = {"limit": 0}


def test_a_folder_passes_three_nodes_unchanged(space: Space, runner: str) -> None:
    run = space.start(three_nodes("folders", runner, megabytes=0))
    seen = run.succeeded(within=170)
    [made], [passed] = (node_of(seen, name)["artifacts"] for name in ("make", "pass_on"))
    assert made["digest"] == passed["digest"]
    assert made["files"] == passed["files"] == node_of(seen, "make")["output"]
    assert node_of(seen, "read")["output"] == {
        "link": "../run.sh",
        "runs": True,
        "deep": "far down",
        "noise": 0,
        "writable": False,
    }
    assert seen["status"]["outputs"]["repo"] == {
        key: passed[key] for key in ("name", "digest", "bytes", "files")
    }
    for artifact in (made, passed):
        record = space.get("noderecords", artifact["record"]) or {}
        assert record["spec"]["type"] == "Artifact"
        assert record["spec"]["digest"] == artifact["digest"]


# What a program can make in a folder. Devices need more rights than a pod has; what only a tar can
# hold (absolute names, hard links, bombs) is in tests/runner/artifacts and tests/gateway.
REFUSED = {
    "link": ("os.symlink('/etc/passwd', f'{F}/l')", "ArtifactInvalid", "absolute path"),
    "link_out": ("os.symlink('../secret', f'{F}/l')", "ArtifactInvalid", "outside of the"),
    "link_up": ("os.symlink('a/../b', f'{F}/l')", "ArtifactInvalid", "`..`"),
    "pipe": ("os.mkfifo(f'{F}/p')", "ArtifactInvalid", "a named pipe"),
    "socket": (
        "import socket; os.chdir(F); socket.socket(socket.AF_UNIX).bind('s')",
        "ArtifactInvalid",
        "a socket",
    ),
    "case": ("open(f'{F}/A', 'w'); open(f'{F}/a', 'w')", "ArtifactInvalid", "only by case"),
    "unicode": (
        "open(F + '/\\u00e9', 'w'); open(F + '/e\\u0301', 'w')",
        "ArtifactInvalid",
        "the form of Unicode",
    ),
    "bytes": ("open(os.fsencode(F) + b'/\\xff', 'w')", "ArtifactInvalid", "not UTF-8"),
    "control": ("open(F + '/a\\nb', 'w')", "ArtifactInvalid", "control character"),
    "deep": ("os.makedirs(F + '/d' * 65)", "ArtifactInvalid", "folders deep"),
    "path": ("os.makedirs(F + ('/' + 'd' * 250) * 5)", "ArtifactInvalid", "a path of"),
    "many": (
        "for at in range(100_001): open(f'{F}/{at}', 'w').close()",
        "ArtifactInvalid",
        "more than 100000 files",
    ),
    "limit": ("open(f'{F}/b', 'wb').truncate(3_000_000)", "ArtifactTooLarge", "maxBytes"),
    "store": (
        "open(f'{F}/b', 'wb').write(os.urandom(1_900_000))",
        "ArtifactTooLarge",
        "gateway.objectStore",
    ),
}


def test_what_may_not_leave_a_node_says_so(space: Space) -> None:
    run = workflow("refused-folders")
    for name, (body, _, _) in REFUSED.items():
        out = {"out": [{**OUT, "maxBytes": 2_000_000}]}
        body = f"import os\nF = {FOLDER!r}\n{body}"
        if name == "many":  # their headers alone have 50 MB
            out = {"out": [{**OUT, "maxBytes": 100_000_000}]}
        run.python(name, body, artifacts=out, retry=NO_RETRY, onFailure="Continue")
    seen = space.start(run).finished(within=250)
    for name, (_, reason, text) in REFUSED.items():
        node = node_of(seen, name)
        assert (node["phase"], node["reason"]) == ("Failed", reason), node
        assert text in node["message"]


def test_a_value_that_no_node_made_is_not_an_artifact(space: Space) -> None:
    run = workflow("forged-folder")
    run.python("make", f"open('{FOLDER}/a', 'w')", artifacts={"out": [OUT]})
    forged = "return {'name': 'repo', 'digest': 'sha256:' + '0' * 64, 'bytes': 1, 'files': 1}"
    schema = {"$ref": "#/schemas/Artifact"}
    run.python("say", forged, outputSchema=schema, dependsOn=["make"])
    entry = {"from": "${nodes.say.output}", "path": "/data/x"}
    run.python("read", "return 1", artifacts={"in": [entry]}, retry=NO_RETRY)
    seen = space.start(run).finished(within=120)
    node = node_of(seen, "read")
    assert (node["phase"], node["reason"]) == ("Failed", "InputInvalid")
    assert "a node of this run has made" in node["message"]


def test_uploads_and_reads_of_others_are_refused(space: Space) -> None:
    [mine] = under_way(space, "forged-artifacts", 1)
    with forwarded(space.kube) as url:
        headers = {
            "authorization": f"Bearer {mine.token()}",
            "waypost-digest": f"sha256:{'0' * 64}",
            "waypost-bytes": "1024",
            "waypost-files": "0",
        }
        put = httpx2.put(f"{url}/v1/artifacts/out/repo", content=b"x", headers=headers)
        got = httpx2.get(f"{url}/v1/artifacts/in/0", headers=headers)
    assert (put.status_code, put.json()["reason"]) == (404, "NotFound")
    assert (got.status_code, got.json()["reason"]) == (404, "NotFound")
