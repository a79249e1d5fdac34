"""Manifests whose loops and maps the API server refuses."""

from tests.crds.manifests import node, workflow
from tests.crds.refused_kinds import row

LOOP = {"until": "${self.output.done}", "max": 3}

LOOPS = [
    row(
        "repeated-wait",
        workflow({"name": "a", "wait": {"duration": "1m"}, "repeat": LOOP}),
        "node a has repeat, which only python, container, agent, http, workflow nodes can have; to "
        "wait between iterations, set repeat.pause",
    ),
    row(
        "repeat-without-a-limit",
        workflow(node(repeat={"until": "${true}"})),
        "spec.nodes[0].repeat.max: Required value",
    ),
    row(
        "repeat-too-often",
        workflow(node(repeat={**LOOP, "max": 101})),
        "spec.nodes[0].repeat.max",
    ),
    row(
        "repeat-without-an-end",
        workflow(node(repeat={"max": 3})),
        "spec.nodes[0].repeat.until: Required value",
    ),
    row("map-of-nothing", workflow(node(forEach={})), "spec.nodes[0].forEach.items: Required"),
    row(
        "map-too-wide",
        workflow(node(forEach={"items": "${[1]}", "maxParallel": 101})),
        "spec.nodes[0].forEach.maxParallel",
    ),
    row(
        "mapped-wait",
        workflow({"name": "a", "wait": {"duration": "1m"}, "forEach": {"items": "${[1]}"}}),
        "node a has forEach, which only python, container, agent, http, approval, workflow nodes",
    ),
    row(
        "pause-of-zero",
        workflow(node(repeat={**LOOP, "pause": "0s"})),
        "pause must be greater than zero",
    ),
]
