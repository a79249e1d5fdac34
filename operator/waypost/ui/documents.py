"""What documents of runs cost the server, shared by all people: few are made at a time, and what
several people have read alike is kept once.

A run of 200 nodes takes some MB while its document is made, and 2 MB as a definition.
"""

import asyncio
import hashlib
import json
from collections import OrderedDict
from typing import Final

from waypost.cli.connection.cluster import Session
from waypost.cli.connection.definitions import known_of
from waypost.cli.connection.records import record_of
from waypost.compiler.definition import Definition
from waypost.kube.facts.children import effective_spec
from waypost.kube.objects import section
from waypost.ports.cluster import Obj
from waypost.views.errors import CannotShow
from waypost.views.observed import fields_of

_AT_ONCE: Final = 2
_DEFINITIONS: Final = 20
Known = tuple[Definition | None, str]


class Documents:
    """One for a process, on one event loop. `turns` is held while a document is made."""

    def __init__(self) -> None:
        self.turns = asyncio.Semaphore(_AT_ONCE)
        self._known: OrderedDict[bytes, Known] = OrderedDict()

    async def definition(self, session: Session, run: Obj) -> Known:
        """The definition of a run, or None and why there is none.

        It follows from what this session has read: nobody is given more than the own rights allow.
        """
        record = await record_of(session, run)
        try:
            key = _key(run, record)
        except CannotShow as error:
            return None, str(error)
        found = self._known.get(key)
        if found is None:
            found = known_of(run, record)
            if found[0] is None:
                return found
            self._known[key] = found
        self._known.move_to_end(key)
        while len(self._known) > _DEFINITIONS:
            self._known.popitem(last=False)
        return found


def _key(run: Obj, record: Obj | None) -> bytes:
    """All that a definition follows from. Raises CannotShow if the record is missing."""
    pinned = fields_of(run, record) if section(run, "spec", "templateRef") else None
    content = json.dumps([effective_spec(run), pinned], sort_keys=True)
    return hashlib.sha256(content.encode()).digest()
