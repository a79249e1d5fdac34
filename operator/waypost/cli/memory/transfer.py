"""Entries as manifests in a file, and entries made of such a file."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

import yaml

from waypost.api import meta
from waypost.api.memory.model import MemoryEntrySpec
from waypost.cli.connection.cluster import Session
from waypost.cli.errors import AccessDenied, CommandError, Exit
from waypost.cli.lint.linter import server_violations
from waypost.cli.lint.manifests import Unreadable, documents
from waypost.cli.memory.entries import Found, Wanted, read_entries
from waypost.kube.memory.entries import Entry, beginning, entry, value_problem
from waypost.kube.memory.names import entry_labels
from waypost.kube.memory.phases import forgotten_until
from waypost.kube.objects import section, text
from waypost.ports.cluster import AlreadyExists, Kind, Obj, Rejected

_PLAIN: Final = re.compile(r"[A-Za-z]{2,}([./-][A-Za-z][A-Za-z0-9]*)*")
_NO_TEXT: Final = frozenset({"yes", "no", "on", "off", "true", "false", "null", "nan", "inf"})


@dataclass(frozen=True)
class Plan:
    """What an import does: manifests to create, and names with the reasons why not."""

    namespace: str
    create: list[Obj] = field(default_factory=list)
    left_out: list[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True)
class Imported:
    """How many entries were created, and how many existed."""

    created: int
    existed: int


class _Quoting(yaml.SafeDumper):
    """Quotes texts that some reader of YAML takes for something else: kubectl reads n as false."""

    def represent_str(self, data: str) -> yaml.ScalarNode:
        """A text, plain only if it is one for every reader."""
        plain = _PLAIN.fullmatch(data) and data.lower() not in _NO_TEXT
        return self.represent_scalar("tag:yaml.org,2002:str", data, style=None if plain else '"')

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 -- overrides
        """Nothing is written as a reference to something else."""
        return True


_Quoting.add_representer(str, _Quoting.represent_str)


def as_yaml(manifests: Sequence[Obj]) -> str:
    """The manifests as documents of a file; "" for none."""
    if not manifests:
        return ""
    return yaml.dump_all(manifests, Dumper=_Quoting, sort_keys=False, allow_unicode=True)


def exported(one: Found) -> Obj:
    """The manifest of an entry, without what belongs to this cluster."""
    return _manifest(one.name, section(one.body, "spec"), one.entry)


def _manifest(name: str, spec: Obj, one: Entry) -> Obj:
    found = one.spec
    labels = entry_labels(
        scope=found.scope,
        key=found.key,
        type_=found.type,
        run_uid=found.source.run_uid or "",
    )
    kind = meta.MEMORY_ENTRY
    head = {"apiVersion": kind.api_version, "kind": kind.kind}
    return {**head, "metadata": {"name": name, "labels": labels}, "spec": spec}


def read_file(content: str, *, file: str, review: bool) -> list[Obj]:
    """The manifests of the entries in a file, with the labels that their specs ask for.

    Args:
        content: The text of the file.
        file: Its name, for messages.
        review: Whether facts lose their decisions, and have to be accepted.

    Raises:
        CommandError: The file cannot be read, or the API server would refuse an entry.
    """
    try:
        found = [document.value for document in documents(content)]
    except Unreadable as error:
        raise CommandError(f"{file}: {error}", code=Exit.USAGE) from error
    return [_checked(value, file=file, review=review) for value in found]


def _checked(value: Obj, *, file: str, review: bool) -> Obj:
    name = text(section(value, "metadata"), "name")
    if value.get("kind") != meta.MEMORY_ENTRY.kind:
        text_ = f"{file}: expected entries of kind MemoryEntry, found {value.get('kind')}"
        raise CommandError(text_, code=Exit.USAGE)
    spec = dict(section(value, "spec"))
    if spec.get("value") is not None:
        # What lists show must be the beginning of what runs read.
        shown = section(spec, "value")
        spec |= {"text": beginning(shown)} if not value_problem("Episode", shown) else {}
    if review and spec.get("type") == "Fact":
        spec = {key: spec[key] for key in spec if key not in ("decision", "decidedBy", "note")}
        spec["review"] = "Required"
    body = {**value, "spec": spec}
    problems = [f"{one.path}: {one.message}" for one in server_violations(body)]
    one = entry(body)
    if one is None and not problems:
        problems = [value_problem(spec["type"], section(spec, "value")) or "it cannot be read"]
    if problems or one is None:
        text_ = f"{file}: MemoryEntry {name or '(without a name)'}: {'; '.join(problems)}"
        raise CommandError(text_, code=Exit.USAGE)
    return _manifest(name, spec, one)


async def plan(session: Session, manifests: Iterable[Obj]) -> Plan:
    """What can be created in the namespace of the session now. Creates nothing."""
    now = datetime.now(UTC)
    made = Plan(session.namespace)
    listed, _ = await read_entries(session, Wanted())
    existing = {one.name: one for one in listed}
    wanted = [(body, one) for body in manifests if (one := entry(body)) is not None]
    # Tombstones of the file hold too, for the other entries in it.
    known = [*(one.entry for one in listed), *(one for _, one in wanted)]
    for body, one in wanted:
        scope, key = one.identity
        until = forgotten_until(known, scope=scope, key=key)
        if one.name in existing:
            same = _meaning(existing[one.name].entry) == _meaning(one)
            reason = "it exists" if same else "another entry with this name exists"
            made.left_out.append((one.name, reason))
        elif one.expires_at <= now:
            made.left_out.append((one.name, f"it expired at {one.spec.expires_at}"))
        elif one.spec.type != "Forgotten" and until is not None and one.at <= until:
            made.left_out.append((one.name, f"key {key} was forgotten"))
        else:
            made.create.append(body)
    # Tombstones first, so that no run reads what they forbid.
    made.create.sort(key=lambda body: section(body, "spec")["type"] != "Forgotten")
    return made


def _meaning(one: Entry) -> MemoryEntrySpec:
    """What runs read of it: not spec.text, which the import makes again."""
    return one.spec.model_copy(update={"text": None})


async def create(session: Session, manifests: Iterable[Obj]) -> Imported:
    """Create the entries. Raises CommandError with the words of the API server."""
    created = existed = 0
    for body in manifests:
        try:
            await session.cluster.create(Kind.MEMORY_ENTRY, namespace=session.namespace, body=body)
        except AlreadyExists:
            existed += 1
        except Rejected as error:
            name = text(section(body, "metadata"), "name")
            text_ = f"{name} was refused, after {created} were created: {error.message}"
            if error.code == 403:
                role = "the chart's role waypost-memory-keeper grants it"
                raise AccessDenied(f"{text_}; {role}") from error
            raise CommandError(text_) from error
        else:
            created += 1
    return Imported(created, existed)
