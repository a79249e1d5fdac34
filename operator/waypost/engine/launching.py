"""What an attempt is asked to do: the node's fields filled in, what it refers to resolved, and the
Job that carries it out."""

from waypost.api.base import JsonObject
from waypost.api.status import AttemptStatus
from waypost.api.workflow import Node
from waypost.engine import policy
from waypost.engine.agents import Missing, Surroundings, agent_work
from waypost.engine.draft import Draft
from waypost.engine.graph import kind_of
from waypost.engine.inputs import Inputs, Invalid, own_view, render_strings
from waypost.engine.jobs import Rendered, TooLarge, attempt_manifests
from waypost.engine.model import Launch
from waypost.engine.requests import http_work
from waypost.engine.spans import traceparent
from waypost.protocol.request import PythonWork, Request


def prepare(
    draft: Draft, path: str, inputs: Inputs, attempt: AttemptStatus
) -> Launch | Invalid | Missing | TooLarge:
    """The Job of an attempt. The same attempt gives the same request whenever it is prepared,
    but for what a ModelProvider or ToolServer says by then."""
    node = draft.node(path)
    view = own_view(inputs, path=path, attempt=attempt.number)
    rendered = _render(draft, node, view, attempt)
    if isinstance(rendered, Invalid | Missing):
        return rendered
    request = _request(draft, path, inputs, attempt.number, rendered)
    timeout = policy.timeout_of(draft.spec, node)
    try:
        job, config_map = attempt_manifests(
            owner=draft.owner,
            node=node,
            request=request,
            rendered=rendered,
            settings=draft.settings,
            deadline_seconds=timeout + policy.queue_timeout_of(draft.spec, node),
        )
    except TooLarge as error:
        return error
    return Launch(path=path, attempt=attempt.number, job=job, config_map=config_map)


def _render(
    draft: Draft, node: Node, view: JsonObject, attempt: AttemptStatus
) -> Rendered | Invalid | Missing:
    strings = render_strings(node, view)
    if isinstance(strings, Invalid):
        return strings
    args, env = strings
    if node.agent:
        if not (node.agent.image or draft.settings.agent_image):
            return Missing("this installation has no image for agent nodes; set agent.image in it")
        work = agent_work(
            node.agent,
            defaults=draft.spec.defaults.agent if draft.spec.defaults else None,
            allotment=attempt.allotment,
            around=Surroundings(
                draft.observed.namespace, draft.observed.providers, draft.observed.servers
            ),
            view=view,
        )
        if isinstance(work, Missing | Invalid):
            return work
        return Rendered(env=env, agent=work.document, files=work.files)
    if node.http:
        request = http_work(node.http, effect=policy.effect_of(node), view=view)
        if isinstance(request, Invalid):
            return request
        return Rendered(http=request.document, files=request.files)
    return Rendered(args=args, env=env)


def _request(draft: Draft, path: str, inputs: Inputs, number: int, rendered: Rendered) -> Request:
    node, observed = draft.node(path), draft.observed
    python = None
    if node.python:
        python = PythonWork(source=node.python.source, function=node.python.function)
    uses_modules = node.python or node.agent
    return Request(
        run_name=observed.name,
        namespace=observed.namespace,
        run_uid=observed.uid,
        path=path,
        kind=kind_of(node),
        round=observed.status.round,
        attempt=number,
        fingerprint=inputs.digest,
        idempotency_key=inputs.idempotency_key,
        timeout_seconds=policy.timeout_of(draft.spec, node),
        traceparent=traceparent(observed.uid, path, observed.status.round, number),
        inputs=inputs.values,
        input_schema=node.input_schema,
        output_schema=node.output_schema,
        python=python,
        modules=draft.spec.modules if uses_modules else None,
        agent=rendered.agent,
        http=rendered.http,
        gateway=draft.settings.gateway_url,
    )
