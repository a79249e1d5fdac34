"""Kind `container`, for the engine: any image, with its arguments evaluated."""

from typing import Final

from waypost.api.base import JsonObject
from waypost.api.status import AttemptStatus
from waypost.engine.nodes.kind import EngineKind
from waypost.engine.nodes.texts import render_args, render_env
from waypost.engine.state.inputs import Invalid
from waypost.engine.state.transition import Transition
from waypost.kube.manifests.pod import Rendered


def _render(
    transition: Transition, path: str, view: JsonObject, attempt: AttemptStatus
) -> Rendered | Invalid:
    node = transition.node(path)
    assert node.container is not None, "called for container nodes only"
    args = render_args(node.container.args, view)
    if isinstance(args, Invalid):
        return args
    env = render_env(node.container.env, view)
    return env if isinstance(env, Invalid) else Rendered(args=args, env=env)


KIND: Final = EngineKind("container", render=_render)
