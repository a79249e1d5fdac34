"""The bodies of the runs that are worked on, as Python values.

A cached run is JSON, because that takes a fifth of the memory and most runs are idle. One that is
worked on is read several times before it changes, and parsing 300 KiB takes milliseconds.
"""

import json
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from waypost.kube.objects import section
from waypost.ports.cluster import Obj

_BYTES: Final = 4 * 1024 * 1024  # of JSON, of all runs together
_RUNS: Final = 100


@dataclass(frozen=True)
class RunText:
    """A run as JSON, in two parts: the status is written again and again, and the spec is not.

    Attributes:
        generation: Its metadata.generation.
        spec: Its spec.
        rest: The run without it: an object that is not empty.
    """

    generation: object
    spec: bytes
    rest: bytes

    def __len__(self) -> int:
        """Bytes of the run."""
        return len(self.spec) + len(self.rest) + len('"spec": , ')

    def join(self) -> bytes:
        """The whole run."""
        return b'{"spec": ' + self.spec + b", " + self.rest[1:]


def text_of(body: Obj, before: RunText | None) -> RunText:
    """A run as JSON. The spec is that of an earlier state if the generation is the same."""
    generation = section(body, "metadata").get("generation")
    same = before is not None and isinstance(generation, int) and before.generation == generation
    spec = before.spec if before is not None and same else _json(body.get("spec"))
    rest = {key: value for key, value in body.items() if key != "spec"}
    return RunText(generation, spec, _json(rest))


def _json(value: object) -> bytes:
    return json.dumps(value).encode()


@dataclass(frozen=True)
class _Body:
    text: RunText
    value: Obj


class ParsedBodies:
    """Bodies by the uid of their run; those that were asked for last. For one event loop."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, _Body] = OrderedDict()
        self._bytes = 0

    def of(self, uid: str, text: RunText) -> Obj:
        """What `text` says. It is shared, so nobody may change it."""
        known = self._known.get(uid)
        if known is not None and known.text is text:
            self._known.move_to_end(uid)
            return known.value
        value: Obj = json.loads(text.join())
        self.put(uid, text, value)
        return value

    def put(self, uid: str, text: RunText, value: Obj) -> None:
        """Remember what `text` says. Nobody may change `value` afterwards."""
        self.drop(uid)
        self._known[uid] = _Body(text, value)
        self._bytes += len(text)
        while len(self._known) > 1 and (self._bytes > _BYTES or len(self._known) > _RUNS):
            self.drop(next(iter(self._known)))

    def drop(self, uid: str) -> None:
        """Forget the body of a run, whose memory is needed no longer."""
        known = self._known.pop(uid, None)
        if known is not None:
            self._bytes -= len(known.text)
