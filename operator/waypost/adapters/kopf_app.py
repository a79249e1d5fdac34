"""kopf as a watch: it lists, watches, logs in and reconnects. It decides and writes nothing.

Only `on.event` handlers are registered, which pass the object to the sink. Other features of kopf
(annotations, finalizers, retries of handlers) are off: they write to users' objects and can miss
changes. The settings below were measured; see
docs/adr/0004-kopf-as-watch-shell.md.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Collection, Iterator
from typing import Any, Final, cast

import kopf
from kopf._cogs.clients import errors, watching
from kopf._core.reactor import inventory

from waypost.adapters.credentials import Credentials, CredentialSource
from waypost.adapters.kopf_tasks import TaskTracker
from waypost.api.meta import GROUP, LABEL_RUN, VERSION
from waypost.ports.cluster import Kind, Obj
from waypost.ports.sink import Sink

# (group, version, plural) in full: kopf refuses short names that fit several groups.
WATCHED: Final[dict[Kind, tuple[str, str, str]]] = {
    Kind.AGENT_WORKFLOW: (GROUP, VERSION, Kind.AGENT_WORKFLOW.plural),
    Kind.AGENT_WORKFLOW_TEMPLATE: (GROUP, VERSION, Kind.AGENT_WORKFLOW_TEMPLATE.plural),
    Kind.AGENT_WORKFLOW_SCHEDULE: (GROUP, VERSION, Kind.AGENT_WORKFLOW_SCHEDULE.plural),
    Kind.WORKFLOW_EVENT: (GROUP, VERSION, Kind.WORKFLOW_EVENT.plural),
    Kind.EVENT_SOURCE: (GROUP, VERSION, Kind.EVENT_SOURCE.plural),
    Kind.MEMORY_ENTRY: (GROUP, VERSION, Kind.MEMORY_ENTRY.plural),
    Kind.APPROVAL: (GROUP, VERSION, Kind.APPROVAL.plural),
    Kind.MODEL_PROVIDER: (GROUP, VERSION, Kind.MODEL_PROVIDER.plural),
    Kind.TOOL_SERVER: (GROUP, VERSION, Kind.TOOL_SERVER.plural),
    Kind.POD: ("", "v1", Kind.POD.plural),
}
_LOGIN_BACKOFF = 5.0
REFUSED_BACKOFF: Final = 60.0  # seconds until a watch that was refused is tried again
ERROR_BACKOFFS: Final = (0.5, 1, 2, 4, 8)  # seconds between the tries of a list or watch

log = logging.getLogger(__name__)


class NullDiffBase(kopf.DiffBaseStorage):
    """Stores and compares nothing, for no handler of ours needs to know what changed.

    The default storage copies every object on every event, three quarters of kopf's CPU time.
    """

    def build(self, *, body: kopf.Body, extra_fields: object = None) -> kopf.BodyEssence:
        return cast(kopf.BodyEssence, {})

    def fetch(self, *, body: kopf.Body) -> kopf.BodyEssence | None:
        return None

    def store(self, *, body: kopf.Body, patch: kopf.Patch, essence: kopf.BodyEssence) -> None:
        return None


def build_settings() -> kopf.OperatorSettings:
    """The settings of kopf. Each line avoids a known problem."""
    settings = kopf.OperatorSettings()
    settings.process.ultimate_exiting_timeout = None  # kopf must not SIGKILL this process
    settings.posting.enabled = False  # Events go through the port, with our identity
    settings.peering.standalone = True  # peering is not a leader election
    settings.scanning.disabled = True  # no watching of CRDs and namespaces, no RBAC for it
    settings.watching.server_timeout = 300
    settings.watching.client_timeout = 310
    settings.watching.connect_timeout = 10
    settings.watching.inactivity_timeout = (
        70  # bookmarks come every minute: without one, the connection is dead
    )
    settings.watching.chunk_size = 500
    settings.watching.label_selectors[WATCHED[Kind.POD]] = LABEL_RUN  # filtered by the server
    settings.queueing.idle_timeout = 0.2  # an idle object's task holds memory
    settings.queueing.worker_limit = None
    settings.networking.request_timeout = 30
    settings.networking.error_backoffs = ERROR_BACKOFFS
    settings.networking.enforce_retry_after = True
    settings.execution.max_workers = 4
    # With the defaults, kopf would remove the finalizer of another kopf operator.
    settings.persistence.finalizer = f"{GROUP}/never-set-by-the-watch-shell"
    settings.persistence.progress_storage = kopf.AnnotationsProgressStorage(prefix=f"kopf.{GROUP}")
    settings.persistence.diffbase_storage = NullDiffBase()
    return settings


def build_registry(*, sink: Sink, credentials: CredentialSource) -> kopf.OperatorRegistry:
    """A private registry: one `on.event` per watched kind, and the login."""
    registry = kopf.OperatorRegistry()
    for kind, (group, version, plural) in WATCHED.items():
        handler = _forward(kind, sink)
        kopf.on.event(group, version, plural, id=f"watch-{plural}", registry=registry)(handler)
    login = _login(credentials)
    kopf.on.login(id="login", backoff=_LOGIN_BACKOFF, registry=registry)(login)
    return registry


def _forward(kind: Kind, sink: Sink) -> Callable[..., Any]:
    async def notice(*, event: kopf.RawEvent, **_kwargs: object) -> None:
        sink.on_watch_event(kind, event["type"], cast(Obj, event["object"]))

    return notice


def _login(source: CredentialSource) -> Callable[..., Any]:
    credentials: Credentials | None = None

    async def login(**_kwargs: object) -> kopf.ConnectionInfo:
        # kopf logs in again only when the API server has refused the last credentials.
        nonlocal credentials
        if credentials is None:
            credentials = await source.current()
        else:
            credentials = await source.renew(refused=credentials)
        scheme, _, token = credentials.authorization.partition(" ")
        return kopf.ConnectionInfo(
            server=credentials.server,
            ca_path=credentials.ca_path,
            insecure=credentials.insecure,
            scheme=scheme or None,
            token=token or None,
            certificate_path=credentials.certificate_path,
            private_key_path=credentials.key_path,
            proxy_url=credentials.proxy,
        )

    return login


@contextlib.contextmanager
def _refusals_in_one_namespace() -> Iterator[None]:
    """While this is entered, a watch that the API server refuses in one namespace is retried.

    kopf ends the process then. A namespace that was deleted together with its RoleBinding would
    stop the runs of all others, again after each restart. kopf has no setting for it.
    """
    whole = watching.infinite_watch

    async def infinite_watch(**options: Any) -> AsyncIterator[Any]:
        namespace, resource = options["namespace"], options["resource"]
        while True:
            try:
                async for event in whole(**options):
                    yield event
                return
            except errors.APIForbiddenError as error:
                if namespace is None:
                    raise  # nothing can be watched
                log.error(
                    "the API server refuses the watch of %s in a namespace, trying again in "
                    "%.0f s: %s",
                    resource.plural,
                    REFUSED_BACKOFF,
                    error,
                    extra={"namespace": namespace},
                )
            yield watching.Bookmark.LISTED  # the others need not wait for this one
            await asyncio.sleep(REFUSED_BACKOFF)

    watching.infinite_watch = infinite_watch
    try:
        yield
    finally:
        watching.infinite_watch = whole


@contextlib.contextmanager
def _without_memories() -> Iterator[None]:
    """While this is entered, kopf remembers nothing of an object between two events.

    It keeps some 2 KB for each object that exists, for daemons, indices and changes, none of which
    is used: 40 MB for 10,000 runs and their pods. kopf has no setting for it.
    """
    memories: Any = inventory.ResourceMemories
    whole = memories.recall

    async def recall(self: Any, *given: Any, **options: Any) -> Any:
        return await whole(self, *given, **{**options, "ephemeral": True})

    memories.recall = recall
    try:
        yield
    finally:
        memories.recall = whole


async def watch(
    *,
    sink: Sink,
    credentials: CredentialSource,
    namespaces: Collection[str],
    stop: asyncio.Event,
    spawned: Callable[[], None] = lambda: None,
) -> None:
    """Feed the sink until `stop` is set.

    Args:
        sink: Receives every event.
        credentials: For logging in.
        namespaces: What to watch; empty for all namespaces.
        stop: Ends the watch.
        spawned: Called once kopf has installed its signal handlers, to replace them.

    Raises:
        Exception: What ended a watch (a missing CRD, no right to watch anything, no way to log
            in): a watch that dies silently would be the worst failure. One that is refused in one
            of several `namespaces` is logged and retried.
    """
    with _refusals_in_one_namespace(), _without_memories(), TaskTracker() as tracker:
        with tracker.inside():
            tasks = await kopf.spawn_tasks(
                registry=build_registry(sink=sink, credentials=credentials),
                settings=build_settings(),
                clusterwide=not namespaces,
                namespaces=namespaces,
                standalone=True,
                stop_flag=stop,
            )
        spawned()
        await kopf.run_tasks(tasks, ignored=tracker.strangers)
