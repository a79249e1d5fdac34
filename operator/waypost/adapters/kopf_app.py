"""kopf as a watch shell: lists, watches, logs in, reconnects. It decides and writes nothing.

Only `on.event` handlers are registered, and all they do is hand the object to the sink. kopf's
own machinery (annotations, finalizers, retries of handlers) stays switched off: it writes to
users' objects and forgets edges. The settings below were measured; see
docs/adr/0004-kopf-as-watch-shell.md.
"""

import asyncio
from collections.abc import Callable, Collection
from typing import Any, Final, cast

import kopf

from waypost.adapters.credentials import Credentials, CredentialSource
from waypost.adapters.kopf_tasks import TaskTracker
from waypost.api.meta import GROUP, LABEL_RUN, VERSION
from waypost.ports.cluster import Kind, Obj
from waypost.ports.sink import Sink

# (group, version, plural) in full: kopf refuses short names that fit several groups.
WATCHED: Final[dict[Kind, tuple[str, str, str]]] = {
    Kind.AGENT_WORKFLOW: (GROUP, VERSION, Kind.AGENT_WORKFLOW.plural),
    Kind.APPROVAL: (GROUP, VERSION, Kind.APPROVAL.plural),
    Kind.MODEL_PROVIDER: (GROUP, VERSION, Kind.MODEL_PROVIDER.plural),
    Kind.TOOL_SERVER: (GROUP, VERSION, Kind.TOOL_SERVER.plural),
    Kind.POD: ("", "v1", Kind.POD.plural),
}
_LOGIN_BACKOFF = 5.0


class NullDiffBase(kopf.DiffBaseStorage):
    """Keeps nothing and compares nothing: we register no handler that wants to know what changed.

    kopf's own deep-copies every object on every event, three quarters of its cost.
    """

    def build(self, *, body: kopf.Body, extra_fields: object = None) -> kopf.BodyEssence:
        return cast(kopf.BodyEssence, {})

    def fetch(self, *, body: kopf.Body) -> kopf.BodyEssence | None:
        return None

    def store(self, *, body: kopf.Body, patch: kopf.Patch, essence: kopf.BodyEssence) -> None:
        return None


def build_settings() -> kopf.OperatorSettings:
    """What we ask of kopf. Each line answers a trap that somebody fell into."""
    settings = kopf.OperatorSettings()
    settings.process.ultimate_exiting_timeout = None  # it is our process: no SIGKILL from below
    settings.posting.enabled = False  # our Events go through the port, with our own identity
    settings.peering.standalone = True  # peering is no leader election
    settings.scanning.disabled = True  # no watching of CRDs and namespaces, no RBAC for it
    settings.watching.server_timeout = 300
    settings.watching.client_timeout = 310
    settings.watching.connect_timeout = 10
    settings.watching.inactivity_timeout = 70  # bookmarks come each minute: silence is a dead link
    settings.watching.chunk_size = 500
    settings.watching.label_selectors[WATCHED[Kind.POD]] = LABEL_RUN  # filtered by the server
    settings.queueing.idle_timeout = 0.2  # an idle object's task holds memory
    settings.queueing.worker_limit = None
    settings.networking.request_timeout = 30
    settings.networking.error_backoffs = (0.5, 1, 2, 4, 8)
    settings.networking.enforce_retry_after = True
    settings.execution.max_workers = 4
    # Never used, but read: with the defaults kopf takes another kopf operator's finalizer off.
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
    given: Credentials | None = None

    async def login(**_kwargs: object) -> kopf.ConnectionInfo:
        # kopf asks again only when what it was given has been refused.
        nonlocal given
        given = await (source.current() if given is None else source.renew(refused=given))
        scheme, _, token = given.authorization.partition(" ")
        return kopf.ConnectionInfo(
            server=given.server,
            ca_path=given.ca_path,
            insecure=given.insecure,
            scheme=scheme or None,
            token=token or None,
            certificate_path=given.certificate_path,
            private_key_path=given.key_path,
            proxy_url=given.proxy,
        )

    return login


async def watch(
    *,
    sink: Sink,
    credentials: CredentialSource,
    namespaces: Collection[str],
    stop: asyncio.Event,
    spawned: Callable[[], None] = lambda: None,
) -> None:
    """Feed the sink until `stop` is set. No namespaces: all of them.

    Raises what ended a watch for good (a CRD that is gone, no right to watch, no way to log in):
    a watcher that is dead and keeps quiet is the worst of operators. `spawned` is called once
    kopf has put its own signal handlers in place, to replace them.
    """
    with TaskTracker() as household:
        with household.inside():
            tasks = await kopf.spawn_tasks(
                registry=build_registry(sink=sink, credentials=credentials),
                settings=build_settings(),
                clusterwide=not namespaces,
                namespaces=namespaces,
                standalone=True,
                stop_flag=stop,
            )
        spawned()
        await kopf.run_tasks(tasks, ignored=household.strangers)
