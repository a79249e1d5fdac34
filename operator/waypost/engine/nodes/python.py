"""Kind `python`, for the engine: a function of the user, called by the runner."""

from typing import Final

from waypost.api.base import JsonObject
from waypost.api.kinds.python import PythonKind
from waypost.api.status import AttemptStatus
from waypost.api.workflow import Node
from waypost.engine.nodes.kind import EngineKind
from waypost.engine.nodes.texts import render_env
from waypost.engine.state.inputs import Invalid
from waypost.engine.state.transition import Transition
from waypost.kube.manifests.pod import Rendered
from waypost.protocol.request import PythonWork


def _work(node: Node) -> PythonKind:
    assert node.python is not None, "called for python nodes only"
    return node.python


def _render(
    transition: Transition, path: str, view: JsonObject, attempt: AttemptStatus
) -> Rendered | Invalid:
    env = render_env(_work(transition.node(path)).env, view)
    return env if isinstance(env, Invalid) else Rendered(env=env)


def _python(node: Node) -> PythonWork:
    return PythonWork(source=_work(node).source, function=_work(node).function)


KIND: Final = EngineKind("python", render=_render, python=_python, gets_modules=True)
