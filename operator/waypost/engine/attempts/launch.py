"""How an attempt is launched: the expressions of its node are evaluated, its references resolved,
and its Job is rendered."""

from dataclasses import replace
from datetime import timedelta

from waypost.api.changes import changed_attempt
from waypost.api.isolation.model import Isolation
from waypost.api.isolation.policy import violations
from waypost.api.status import AttemptStatus
from waypost.api.workflow import Node
from waypost.compiler import node_settings
from waypost.compiler.memory.secrets import held_back
from waypost.engine.artifacts import taken
from waypost.engine.attempts import images
from waypost.engine.attempts.reads import LOOK_FIRST
from waypost.engine.budget import shares
from waypost.engine.budget.usage import Exhausted
from waypost.engine.isolation import egress
from waypost.engine.nodes.table import engine_kind
from waypost.engine.nodes.texts import pod_strings_problem
from waypost.engine.scheduling import missing_references
from waypost.engine.scheduling.inputs import invalid_reason, own_context
from waypost.engine.slots import take as slots
from waypost.engine.state.decision import Launch
from waypost.engine.state.inputs import Forbidden, Inputs, Invalid, Missing
from waypost.engine.state.paths import iteration_path
from waypost.engine.state.transition import Transition
from waypost.kube import names, node_records, timestamps
from waypost.kube.egress.policy import egress_of, private_networks
from waypost.kube.kinds.table import pod_kind
from waypost.kube.manifests.attempt_job import TooLarge, attempt_manifests
from waypost.kube.manifests.endpoints import documents_of, hosts_of
from waypost.kube.manifests.pod import PodSettings, Rendered
from waypost.kube.manifests.volume_claims import claims_of, with_claims
from waypost.kube.pod_uses import uses_of
from waypost.kube.trace_ids import traceparent
from waypost.protocol import ijson
from waypost.protocol.reasons import Reason
from waypost.protocol.request import Request


def prepare(
    transition: Transition, path: str, inputs: Inputs, attempt: AttemptStatus
) -> Launch | Forbidden | Invalid | Missing | TooLarge:
    """Render the Job of an attempt.

    The same attempt always gives the same request, except for what its ModelProvider or
    ToolServer says at the time.

    Returns:
        The Job to create; Invalid if an expression cannot be evaluated; Missing if a resource
        that the node refers to does not exist; TooLarge if the inputs fit no object; Forbidden if
        the policy of the platform does not allow the pod.
    """
    node = transition.node(path)
    view = own_context(inputs, path=path, attempt=attempt.number)
    rendered = engine_kind(node).render(transition, path, view, attempt)
    if isinstance(rendered, Invalid | Missing):
        return rendered
    if problem := pod_strings_problem(rendered):
        return Invalid(problem)
    artifacts = taken.resolve(transition, node, view)
    if isinstance(artifacts, Invalid | TooLarge):
        return artifacts
    image = images.of_attempt(transition, path)
    rendered = replace(rendered, artifacts=artifacts, image=image)
    settings = egress.settings_of(transition, node)
    if isinstance(settings, Forbidden | Invalid):
        return settings
    request = _request(transition, path, inputs, attempt.number, rendered, settings=settings)
    launch = _rendered(transition, node, request, rendered, settings)
    if isinstance(launch, TooLarge):
        return launch
    if problem := _not_permitted(transition, launch, rendered):
        return Forbidden(problem)
    return with_slot(transition, path, inputs, attempt, launch)


def _not_permitted(transition: Transition, launch: Launch, rendered: Rendered) -> str:
    """What the policy does not allow in a rendered pod; "" if it allows all of it (S373). That is
    also what the model gateway does for it (S725).

    The image has a digest that the spec does not name: its patterns are about the name in the spec.
    """
    policy, own = transition.observed.policy, transition.settings.images
    if policy is None:
        return ""
    pod = launch.job["spec"]["template"]["spec"]
    uses = replace(
        uses_of(pod, own_images=(own.runner, own.agent)),
        egress=egress_of(launch.job),
        networks=private_networks(launch.policy),
    )
    calls = documents_of(rendered.agent or {})
    if rendered.forwarded and rendered.http:
        calls.append(rendered.http)
    added = {file.ref.name for file in rendered.added if file.source == "secret"}
    uses = replace(uses, hosts=hosts_of(calls), secrets=uses.secrets | added)
    if image := rendered.image:
        named = {one.partition("@")[0] if one == image else one for one in uses.images}
        uses = replace(uses, images=frozenset(named))
    return "; ".join(violations(policy, uses))


def with_slot(
    transition: Transition, path: str, inputs: Inputs, attempt: AttemptStatus, launch: Launch
) -> Launch:
    """The launch of an attempt, with the slot that the attempt has recorded."""
    return replace(launch, slot=slots.lease_of(transition, path, inputs, attempt))


def _rendered(
    transition: Transition,
    node: Node,
    request: Request,
    rendered: Rendered,
    settings: PodSettings,
) -> Launch | TooLarge:
    try:
        return _launch(transition, node, request, rendered, settings)
    except TooLarge as error:
        if settings.gateway_url is None or not pod_kind(node).runs_waypost:
            return error
    try:
        return _launch_with_stored_inputs(transition, node, request, rendered, settings)
    except TooLarge as error:
        return error


def _launch(
    transition: Transition,
    node: Node,
    request: Request,
    rendered: Rendered,
    settings: PodSettings,
) -> Launch:
    timeout = node_settings.timeout_of(transition.spec, node)
    defaults, claims = transition.spec.defaults, transition.spec.volume_claims or ()
    isolation = _isolation(transition, node)
    job, config_map = attempt_manifests(
        owner=transition.owner,
        node=node,
        request=request,
        rendered=rendered,
        settings=settings,
        deadline_seconds=timeout + node_settings.queue_timeout_of(transition.spec, node),
        default_resources=defaults.resources if defaults else None,
        isolation=with_claims(isolation, claims, transition.owner),
        logs=defaults.logs if defaults else None,
    )
    return Launch(
        path=request.path,
        attempt=request.attempt,
        job=job,
        config_map=config_map,
        policy=egress.limited(transition, node, job),
        claims=claims_of(isolation, claims, transition.owner),
    )


def _isolation(transition: Transition, node: Node) -> Isolation:
    """The isolation of a node, with the RuntimeClass of the policy if it names none."""
    declared = node_settings.isolation_of(transition.spec, node)
    policy = transition.observed.policy
    if policy is None or policy.runtime_class is None or declared.runtime_class_name is not None:
        return declared
    return declared.model_copy(update={"runtime_class_name": policy.runtime_class})


def _launch_with_stored_inputs(
    transition: Transition,
    node: Node,
    request: Request,
    rendered: Rendered,
    settings: PodSettings,
) -> Launch:
    """The Job of an attempt whose inputs do not fit a ConfigMap: the pod reads them from the
    gateway."""
    canonical = ijson.canonical(request.inputs)
    form = node_records.form_of(request.inputs, canonical)
    if form is None:
        raise TooLarge(
            f"{len(canonical)} bytes of inputs, the limit is {node_records.LARGEST}, of which "
            "1 MiB after compression; pass a reference instead of the data"
        )
    digest = ijson.digest(request.inputs)
    record = node_records.manifest(
        "Input",
        transition.attempt_ref(request.path, request.attempt),
        digest=digest,
        size=len(canonical),
        form=form,
        owner=transition.owner.reference(),
        namespace=transition.owner.namespace,
    )
    smaller = request._replace(inputs={}, stored_inputs=digest)
    launch = _launch(transition, node, smaller, rendered, settings)
    return replace(launch, input_record=record)


def _request(
    transition: Transition,
    path: str,
    inputs: Inputs,
    number: int,
    rendered: Rendered,
    *,
    settings: PodSettings,
) -> Request:
    node, observed = transition.node(path), transition.observed
    kind = engine_kind(node)
    held = held_back(transition.spec, node)
    return Request(
        run_name=observed.name,
        namespace=observed.namespace,
        run_uid=observed.uid,
        path=iteration_path(transition.statuses[path]),
        kind=kind.name,
        round=transition.attempt_ref(path, number).round,
        attempt=number,
        fingerprint=observed.definition.fingerprints[node.name],
        idempotency_key=inputs.idempotency_key,
        timeout_seconds=node_settings.timeout_of(transition.spec, node),
        traceparent=traceparent(
            observed.uid, path, transition.attempt_ref(path, number).round, number
        ),
        inputs=inputs.values,
        input_schema=node.input_schema,
        output_schema=node.output_schema,
        python=kind.python(node),
        modules=transition.spec.modules if kind.gets_modules else None,
        agent=rendered.agent,
        http=rendered.http,
        gateway=settings.gateway_url,
        artifacts=rendered.artifacts.request if rendered.artifacts else None,
        secret_env=held.env,
        secret_folders=held.folders,
    )


def launch(transition: Transition, path: str, inputs: Inputs) -> None:
    """Record the next attempt of a node and create its Job.

    The node waits while a resource that it refers to is missing, while running attempts reserve
    the rest of the budget, and while no slot of its key is free.
    """
    status = transition.statuses[path]
    number = (status.attempt or 0) + 1
    moment = timestamps.timestamp(transition.now)
    job = names.job_name(
        run=transition.owner.name,
        run_uid=transition.owner.uid,
        path=iteration_path(status),
        attempt=number,
    )
    attempt = AttemptStatus(
        number=number,
        iteration=status.loop.number if status.loop is not None else None,
        job=job,
        launched_at=moment,
        round=status.round,
    )
    share = shares.reserve(transition, path)
    if isinstance(share, Exhausted):
        shares.wait_for_budget(transition, path, share)
        return
    attempt = changed_attempt(attempt, allotment=share)
    action = prepare(transition, path, inputs, attempt)
    if isinstance(action, Missing):
        missing_references.wait_for_reference(transition, path, action)
        return
    if isinstance(action, Forbidden):
        transition.end(path, "Failed", Reason.NOT_PERMITTED, action.message)
        return
    if isinstance(action, Invalid):
        reason = invalid_reason(transition, action.message)
        transition.end(path, "Failed", reason, action.message)
        return
    if isinstance(action, TooLarge):
        transition.end(path, "Failed", Reason.INPUT_TOO_LARGE, str(action))
        return
    slot = slots.take(transition, path, inputs, attempt)
    if isinstance(slot, Invalid):
        transition.end(path, "Failed", invalid_reason(transition, slot.message), slot.message)
        return
    if slot is None:
        return
    if slot:
        attempt = changed_attempt(attempt, slot=slot)
        action = with_slot(transition, path, inputs, attempt, action)
    transition.record_attempt(path, attempt)
    transition.update(
        path,
        phase="Running",
        reason=None,
        message=None,
        tail=None,
        wake_at=None,
        attempt=number,
        input_digest=inputs.digest,
        started_at=status.started_at or moment,
    )
    transition.after.append(action)
    transition.requeue_at(transition.now + timedelta(seconds=LOOK_FIRST))
