"""The definition of a run: compiled once for each generation, and read where its template put it.

A run of a template is accepted with the template as a live read finds it. From then on its
definition is the record that its status names; it is cached by its digest, so a run needs no
further read.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Final

from waypost.api.base import JsonObject
from waypost.api.status import AgentWorkflowStatus, PinnedTemplate
from waypost.compiler.definition import Definition, define
from waypost.compiler.origin import (
    Fresh,
    Keep,
    Lost,
    Missing,
    Origin,
    Own,
    Pinned,
    Settled,
    Take,
    Unread,
    is_decided,
    is_settled,
    needed,
)
from waypost.compiler.problems import Problem
from waypost.compiler.templates import TemplateBody, define_own, define_run
from waypost.kube import names, node_records, objects
from waypost.kube.facts import children
from waypost.kube.facts.read_problems import of_parent, of_record
from waypost.kube.manifests.attempt_job import Owner
from waypost.ports.clock import Clock
from waypost.ports.cluster import Cluster, ClusterError, Kind, NotFound, Obj
from waypost.ports.offload import Offload
from waypost.protocol import ijson
from waypost.runtime.cache.runs import Key
from waypost.runtime.reads.called_templates import read_called
from waypost.runtime.reads.read_problems import ReadProblems
from waypost.runtime.reads.template_sources import Source, read_source

_DEFINITIONS: Final = 500
_BODIES: Final = 200  # a template has at most 1.5 MiB, most have a few KiB
_BODY_BYTES: Final = 16 * 1024 * 1024


class Definitions:
    """Definitions of runs, and of their templates by digest. For one operator process."""

    def __init__(
        self, *, cluster: Cluster, clock: Clock, problems: ReadProblems, offload: Offload
    ) -> None:
        self._cluster = cluster
        self._clock = clock
        self._problems = problems
        self._offload = offload
        self._compiled: OrderedDict[tuple[str, int, str], Definition] = OrderedDict()
        self._bodies: OrderedDict[str, tuple[JsonObject, int]] = OrderedDict()
        self._body_bytes = 0

    async def of(
        self, key: Key, *, generation: int, body: Obj, status: AgentWorkflowStatus
    ) -> tuple[Definition, Origin]:
        """The definition of a run, and where it comes from.

        Args:
            key: The run.
            generation: Its metadata.generation.
            body: Its body.
            status: Its status.

        Raises:
            ClusterError: The template, or the record of the definition, could not be read. Once
                that has lasted, or is permanent, the origin is Unread instead.
        """
        spec = objects.section(body, "spec")
        need = needed(spec, status, generation=generation)
        if isinstance(need, Keep | Take):
            return await self._read(key, generation, body, need)
        alone = await self._define(key, generation, body.get("spec"), "")
        if isinstance(need, Settled) or is_settled(status, alone, generation=generation):
            return alone, Settled()
        if not is_decided(spec, status):
            alone = await self._with_called(key, body, alone, partial(define_own, spec))
        return alone, Own()

    async def _with_called(
        self,
        key: Key,
        run: Obj,
        definition: Definition,
        check: Callable[[dict[str, JsonObject]], Definition],
        fields: JsonObject | None = None,
    ) -> Definition:
        """A definition with the problems of the templates that its nodes call. Without their
        warnings: later passes do not read the templates, and the condition would change."""
        if definition.problems:
            return definition
        body = objects.section(run, "spec") if fields is None else fields
        deep = not children.is_child(run)
        templates = await read_called(self._cluster, key.namespace, body, deep=deep)
        if not templates:
            return definition
        checked = await self._offload(check, templates)
        return replace(definition, problems=checked.problems, outside=checked.outside)

    async def _read(
        self, key: Key, generation: int, run: Obj, need: Keep | Take
    ) -> tuple[Definition, Origin]:
        """The definition of `need`, or the fact that it cannot be read."""
        if isinstance(need, Keep):
            what = of_record(need.pin.record)
        elif need.local:
            what = of_parent(objects.text(objects.section(run, "spec", "parent"), "run"))
        else:
            what = f"AgentWorkflowTemplate {need.name}"
        began = self._clock.now()
        problem = self._problems.waits(key.uid, what)
        if problem is None or not problem.is_shown(began):
            try:
                if isinstance(need, Keep):
                    found = await self._kept(key, generation, run, need.pin)
                else:
                    found = await self._taken(key, generation, run, need)
            except (ClusterError, TimeoutError) as error:
                problem = self._problems.failed(key.uid, what, error, began)
                if not problem.is_shown(self._clock.now()):
                    raise
            else:
                self._problems.succeeded(key.uid, what)
                return found
        alone = await self._define(key, generation, run.get("spec"), "")
        return alone, Unread(problem.text, problem.retry_at, pinned=isinstance(need, Keep))

    async def _kept(
        self, key: Key, generation: int, run: Obj, pin: PinnedTemplate
    ) -> tuple[Definition, Origin]:
        spec = objects.section(run, "spec")
        local = objects.section(spec, "parent").get("local") is True
        known = self._compiled.get((key.uid, generation, pin.digest))
        if known is not None:
            return known, Pinned(pin)
        fields, origin = self._cached(pin.digest), Pinned(pin)
        if fields is None:
            fields = await self._record(key, pin)
        if fields is None:
            source = await self._source(key, run, pin.name, local=local)
            if source is None or await self._offload(_digest, source.body.fields) != pin.digest:
                lost = Lost(pin, template_exists=source is not None)
                return await self._define(key, generation, spec, ""), lost
            fields = source.body.fields
            origin = Pinned(pin, restored=_manifest(key, fields))
        body = TemplateBody(pin.name, fields, local=local)
        return await self._define(key, generation, spec, pin.digest, body), origin

    async def _taken(
        self, key: Key, generation: int, run: Obj, need: Take
    ) -> tuple[Definition, Origin]:
        spec = objects.section(run, "spec")
        alone = await self._define(key, generation, spec, "")
        if alone.problems:
            return alone, Own()
        source = await self._source(key, run, need.name, local=need.local)
        if source is None:
            return alone, Missing(need.name, local=need.local)
        taken = source.body
        digest = await self._offload(_digest, taken.fields)
        if digest is None:  # the check says which value is not I-JSON
            return await self._offload(define_run, spec, taken), Own()
        definition = await self._define(key, generation, spec, digest, taken)
        check = partial(define_run, spec, taken)
        definition = await self._with_called(key, run, definition, check, taken.fields)
        record = await self._offload(_manifest, key, taken.fields)
        if record is None:
            problems = (_too_large(need.name), *definition.problems)
            return replace(definition, problems=problems), Own()
        pin = _pin(key, source, digest)
        return definition, Fresh(pin, record=record, suspended=source.suspended)

    async def _define(
        self,
        key: Key,
        generation: int,
        spec: object,
        digest: str,
        template: TemplateBody | None = None,
    ) -> Definition:
        place = (key.uid, generation, digest)
        known = self._compiled.get(place)
        if known is None:
            if template is None:
                known = await self._offload(define, spec)
            else:
                known = await self._offload(define_run, spec, template)
            self._compiled[place] = known
            while len(self._compiled) > _DEFINITIONS:
                self._compiled.popitem(last=False)
        self._compiled.move_to_end(place)
        return known

    async def _source(self, key: Key, run: Obj, name: str, *, local: bool) -> Source | None:
        async def record(pin: PinnedTemplate) -> JsonObject | None:
            return self._cached(pin.digest) or await self._record(key, pin)

        return await read_source(self._cluster, key, run, name=name, local=local, record=record)

    def _cached(self, digest: str) -> JsonObject | None:
        known = self._bodies.get(digest)
        if known is None:
            return None
        self._bodies.move_to_end(digest)
        return known[0]

    async def _record(self, key: Key, pin: PinnedTemplate) -> JsonObject | None:
        """The definition in the record of a pin, read live; None when no record has it."""
        try:
            body = await self._cluster.get(
                Kind.NODE_RECORD, namespace=key.namespace, name=pin.record
            )
        except NotFound:
            return None
        fact = await self._offload(node_records.record_fact, body, limit=node_records.LARGEST)
        value, size = fact.payload.value, fact.payload.size
        if fact.problem or fact.payload.digest != pin.digest or not isinstance(value, dict):
            return None
        self._bodies[pin.digest] = (value, size)
        self._body_bytes += size
        while len(self._bodies) > 1 and (
            self._body_bytes > _BODY_BYTES or len(self._bodies) > _BODIES
        ):
            self._body_bytes -= self._bodies.popitem(last=False)[1][1]
        return value


def _digest(fields: JsonObject) -> str | None:
    """The digest of what a run takes from a template; None if it is no I-JSON."""
    try:
        ijson.check(fields)
    except ijson.IJsonError:
        return None
    return ijson.digest(fields)


def _manifest(key: Key, fields: JsonObject) -> JsonObject | None:
    owner = Owner(name=key.name, namespace=key.namespace, uid=key.uid)
    return node_records.definition(fields, owner=owner.reference(), namespace=key.namespace)


def _pin(key: Key, source: Source, digest: str) -> PinnedTemplate:
    return PinnedTemplate(
        name=source.body.name,
        uid=source.uid,
        generation=source.generation,
        digest=digest,
        record=names.definition_name(run=key.name, run_uid=key.uid, digest=digest),
    )


def _too_large(name: str) -> Problem:
    """That what a run takes from a template does not fit a NodeRecord."""
    text = f"template {name} is too large for a NodeRecord, whatever its compression; shorten it"
    return Problem("templateRef", text)
