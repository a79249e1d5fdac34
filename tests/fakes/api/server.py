"""The API server without a network: synchronous, strict, in one process.

The simulated controllers use it directly; the operator under test goes through
`tests.fakes.cluster`, which adds failures and delays.
"""

import random
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

from waypost.kube.objects import section
from waypost.ports.cluster import (
    AlreadyExists,
    ClusterError,
    Conflict,
    Kind,
    Listing,
    NotFound,
    Obj,
    PatchType,
    Rejected,
    Unavailable,
)

from tests.fakes.agenda import Agenda
from tests.fakes.api import admission, builtin, ownership, patches, schemas
from tests.fakes.api.deletion import Deletion, begin_deletion, is_over
from tests.fakes.api.selectors import field_selector, label_selector
from tests.fakes.api.storage import Storage
from tests.fakes.api.wire import copied, normal

_WITHOUT_GENERATION: Final = (Kind.CONFIG_MAP, Kind.EVENT, Kind.LEASE, Kind.NAMESPACE)
_OF_THE_CLUSTER: Final = (
    Kind.NAMESPACE,
    Kind.NODE,
    Kind.ADMISSION_POLICY,
    Kind.WEBHOOK_CONFIGURATION,
    Kind.ADMISSION_BINDING,
)


class ApiServer:
    """Every method is one atomic request."""

    def __init__(self, *, agenda: Agenda, seed: int = 0) -> None:
        self.agenda = agenda
        self.storage = Storage()
        # By verb (create, patch_status) and kind: what a quota or a policy answers.
        self.refusals: dict[tuple[str, Kind], Callable[[], ClusterError]] = {}
        self._random = random.Random(seed)

    def time(self, *, after: float = 0.0) -> str:
        """The wall clock as Kubernetes writes it: whole seconds."""
        moment = self.agenda.clock.now() + timedelta(seconds=after)
        return moment.replace(microsecond=0).strftime("%Y-%m-%dT%H:%M:%SZ")

    def get(self, kind: Kind, *, namespace: str | None, name: str) -> Obj:
        return copied(self._stored(kind, namespace, name))

    def list(
        self, kind: Kind, *, namespace: str | None = None, labels: str = "", fields: str = ""
    ) -> Listing:
        by_label, by_field = label_selector(labels), field_selector(kind, fields)
        found = tuple(
            copied(body)
            for body in self.storage.scan(kind, namespace)
            if by_label(section(body, "metadata", "labels")) and by_field(body)
        )
        return Listing(items=found, resource_version=str(self.storage.revision))

    def create(self, kind: Kind, *, namespace: str, body: Obj, by: str) -> Obj:
        body = self._prepared(kind, namespace, body)
        self._admit("create", kind)
        metadata = body["metadata"]
        if self.storage.read(kind, metadata.get("namespace"), metadata["name"]) is not None:
            text = f'{kind.plural} "{metadata["name"]}" already exists'
            raise AlreadyExists(text, code=409, reason="AlreadyExists")
        self._stamp(None, body, by, "")
        return copied(self.storage.write(kind, body))

    def patch(
        self,
        kind: Kind,
        *,
        namespace: str | None,
        name: str,
        body: Any,
        patch_type: PatchType,
        subresource: str = "",
        by: str,
    ) -> Obj:
        if patch_type is PatchType.STRATEGIC and schemas.is_custom(kind):
            raise Rejected("the body of the request was in an unknown format", code=415)
        old = self._stored(kind, namespace, name)
        if subresource:
            self._admit("patch_status", kind)
        if subresource and not schemas.has_status(kind):
            raise NotFound("the server could not find the requested resource", code=404)
        return self._replace(kind, old, patches.apply(old, body, patch_type), subresource, by)

    def update(
        self,
        kind: Kind,
        *,
        namespace: str | None,
        name: str,
        change: Callable[[Obj], None],
        subresource: str = "",
        by: str,
    ) -> Obj:
        """Read, change, write, as one step; for the simulated controllers."""
        old = self._stored(kind, namespace, name)
        new = copied(old)
        change(new)
        return self._replace(kind, old, new, subresource, by)

    def delete(self, kind: Kind, *, namespace: str | None, name: str, options: Deletion) -> bool:
        """Begin, hasten or complete a deletion; whether anything changed."""
        old = self._stored(kind, namespace, name)
        new = begin_deletion(kind, copied(old), options=options, time=self.time)
        if new == old:
            return False
        if is_over(new):
            self.storage.remove(kind, old)
        else:
            self.storage.write(kind, new)
        return True

    def _admit(self, verb: str, kind: Kind) -> None:
        """Quotas and policies come before names are looked at."""
        if refusal := self.refusals.get((verb, kind)):
            raise refusal()

    def _stored(self, kind: Kind, namespace: str | None, name: str) -> Obj:
        body = self.storage.read(kind, None if kind in _OF_THE_CLUSTER else namespace, name)
        if body is None:
            raise NotFound(f'{kind.plural} "{name}" not found', code=404, reason="NotFound")
        return body

    def _prepared(self, kind: Kind, namespace: str, body: Obj) -> Obj:
        new: Obj = normal(body)
        if new.get("apiVersion") != kind.api_version or new.get("kind") != kind.kind:
            raise Rejected("the object does not match the endpoint", code=400, reason="BadRequest")
        metadata: Obj = new.setdefault("metadata", {})
        if metadata.get("resourceVersion"):
            text = "resourceVersion should not be set on objects to be created"
            raise Unavailable(text, code=500)  # what the server says indeed
        if not metadata.get("name") and metadata.get("generateName"):
            metadata["name"] = f"{metadata['generateName']}{self._random.randrange(16**5):05x}"
        if not metadata.get("name"):
            raise admission.invalid(kind, "", ["metadata.name: Required value"])
        if kind not in _OF_THE_CLUSTER:
            self._place(metadata, namespace)
        for field in ("deletionTimestamp", "deletionGracePeriodSeconds", "managedFields"):
            metadata.pop(field, None)
        metadata["uid"] = str(uuid.UUID(int=self._random.getrandbits(128), version=4))
        metadata["creationTimestamp"] = self.time()
        if kind not in _WITHOUT_GENERATION:
            metadata["generation"] = 1
        if schemas.has_status(kind):
            new.pop("status", None)
        schemas.complete(kind, new)
        admission.check(kind, new, old=None)
        if kind is Kind.NAMESPACE:
            new |= {"spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Active"}}
        return builtin.defaulted(kind, new)

    def _place(self, metadata: Obj, namespace: str) -> None:
        if metadata.setdefault("namespace", namespace) != namespace:
            text = "the namespace of the provided object does not match the request"
            raise Rejected(text, code=400, reason="BadRequest")
        home = self.storage.read(Kind.NAMESPACE, None, namespace)
        if home is None:
            raise NotFound(f'namespaces "{namespace}" not found', code=404, reason="NotFound")
        if section(home, "status").get("phase") == "Terminating":
            text = f"unable to create new content in namespace {namespace} because it is "
            raise Rejected(text + "being terminated", code=403, reason="NamespaceTerminating")

    def _replace(self, kind: Kind, old: Obj, new: Obj, subresource: str, by: str) -> Obj:
        new = self._merged(kind, old, new, subresource)
        schemas.complete(kind, new)
        admission.check(kind, new, old=old, subresource=subresource)
        if new == old:
            return copied(old)  # nothing is written, and no watch reports it
        if _main(new) != _main(old) and "generation" in new["metadata"]:
            new["metadata"]["generation"] = old["metadata"]["generation"] + 1
        self._stamp(old, new, by, subresource)
        if is_over(new):
            return copied(self.storage.remove(kind, new))
        return copied(self.storage.write(kind, new))

    def _merged(self, kind: Kind, old: Obj, new: Obj, subresource: str) -> Obj:
        """`new` without what the endpoint leaves alone."""
        metadata, before = new.get("metadata", {}), old["metadata"]
        if metadata.get("resourceVersion") not in (None, "", before["resourceVersion"]):
            text = f'Operation cannot be fulfilled on {kind.plural} "{before["name"]}": '
            text += "the object has been modified; please apply your changes to the latest version"
            raise Conflict(text, code=409, reason="Conflict")
        if subresource:
            kept = {key: value for key, value in old.items() if key != "status"}
            return {**copied(kept), **({"status": new["status"]} if "status" in new else {})}
        for field in ("resourceVersion", "generation", "managedFields", "selfLink"):
            _restore(metadata, before, field)
        for field in ("creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds"):
            _restore(metadata, before, field)
        metadata.setdefault("uid", before["uid"])
        if not metadata.get("finalizers"):
            metadata.pop("finalizers", None)
        if schemas.has_status(kind):
            _restore(new, old, "status")
        return new

    def _stamp(self, old: Obj | None, new: Obj, by: str, subresource: str) -> None:
        fields = ownership.stamped(
            old=old, new=new, manager=by, subresource=subresource, time=self.time()
        )
        if fields:
            new["metadata"]["managedFields"] = fields


def _restore(target: Obj, source: Obj, field: str) -> None:
    if field in source:
        target[field] = source[field]
    else:
        target.pop(field, None)


def _main(body: Obj) -> Obj:
    """What the generation counts: all but metadata and status."""
    return {key: value for key, value in body.items() if key not in ("metadata", "status")}
