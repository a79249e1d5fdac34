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
_LARGE: Final = 16 * 1024  # bytes of a run whose JSON is not written after each of its writes
_SKIPPED: Final = 7  # writes in a row


@dataclass(frozen=True, slots=True)
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


class RunBody:
    """A run that is cached: as JSON, or as a value that is written as JSON when it has to be.

    Each write of a large run is cached, and read as a value by the next pass. To write all of it as
    JSON costs more than the pass. So that is done after some writes, and when the value is dropped;
    until then `size` is that of an earlier state.
    """

    __slots__ = ("_before", "_skipped", "_text", "_value", "size")

    _before: RunText | None
    _text: RunText | None
    _value: Obj | None
    _skipped: int
    size: int

    def __init__(self, value: Obj, before: "RunBody | None", *, later: bool = False) -> None:
        """
        Args:
            value: The run. Nobody may change it afterwards.
            before: An earlier state.
            later: It is going to be read, so that writing it as JSON may wait.
        """
        self._before = before._text or before._before if before is not None else None
        self._text = None
        self._value = value
        self.size = before.size if before is not None else 0
        self._skipped = before._skipped + 1 if before is not None else 0
        if not later or self.size < _LARGE or self._skipped > _SKIPPED:
            self.text()
        if not later:
            self._value = None

    def text(self) -> RunText:
        """The run as JSON."""
        if self._text is None:
            assert self._value is not None, "one of both is there"
            self._text = text_of(self._value, self._before)
            self.size, self._before, self._skipped = len(self._text), None, 0
        return self._text

    def value(self) -> Obj:
        """The run. It is shared, so nobody may change it."""
        if self._value is None:
            self._value = json.loads(self.text().join())
        return self._value

    def adopt(self, value: Obj) -> None:
        """Take a value of the same state, instead of parsing the JSON. Nobody may change it."""
        if self._value is None:
            self._value = value

    def shrink(self) -> None:
        """Keep the JSON alone, which takes a fifth of the memory."""
        self.text()
        self._value = None


class ParsedBodies:
    """The runs whose bodies are kept as values: those that were asked for last. For one event
    loop."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, RunBody] = OrderedDict()
        self._bytes = 0

    def of(self, uid: str, body: RunBody) -> Obj:
        """The value of a body. It is shared, so nobody may change it."""
        if self._known.get(uid) is body:
            self._known.move_to_end(uid)
        else:
            self.put(uid, body)
        return body.value()

    def put(self, uid: str, body: RunBody) -> None:
        """Let a body keep its value."""
        self.drop(uid)
        self._known[uid] = body
        self._bytes += body.size
        while len(self._known) > 1 and (self._bytes > _BYTES or len(self._known) > _RUNS):
            oldest, idle = next(iter(self._known.items()))
            self.drop(oldest)
            idle.shrink()

    def drop(self, uid: str) -> None:
        """Forget the body of a run, which is replaced or needed no longer."""
        if self._known.pop(uid, None) is not None:
            self._bytes = sum(body.size for body in self._known.values())
