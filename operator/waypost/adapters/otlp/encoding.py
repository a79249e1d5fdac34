"""Spans as the protobuf message ExportTraceServiceRequest of OTLP.

The SDK makes several objects for a span and each of its attributes, and then their bytes. The bytes
are made directly here, and what spans have in common is kept.
"""

import struct
from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

from opentelemetry.sdk.resources import Resource

from waypost.telemetry.spans import SpanEvent, SpanFact

_TIMES: Final = struct.Struct("<BQBQ").pack
_FIXED64: Final = struct.Struct("<Q").pack
_DOUBLE: Final = struct.Struct("<d").pack
_ERROR: Final = 2  # Status.StatusCode
_INTERNAL: Final = b"\x30\x01"  # Span.SpanKind
_CLIENT: Final = b"\x30\x03"
# SpanFlags, a fixed32: whether the parent, or what is linked to, is in another process is known.
_SAME_PROCESS: Final = b"\x85\x01\x00\x01\x00\x00"
_OTHER_PROCESS: Final = b"\x35\x00\x03\x00\x00"
_LONGEST_KEPT: Final = 200  # characters of a text


def request(resource: Resource, scope: tuple[str, str, str], spans: Iterable[bytes]) -> bytes:
    """A request with spans of `span_bytes`.

    Args:
        resource: What made them.
        scope: Name, version and URL of the schema.
        spans: The spans.
    """
    name, version, schema = scope
    of_scope = _part(1, _text(1, name) + _text(2, version))
    found = of_scope + b"".join([_part(2, span) for span in spans]) + _text(3, schema)
    made = _part(1, _attributes(1, resource.attributes)) + _part(2, found)
    return _part(1, made + (_text(3, resource.schema_url) if resource.schema_url else b""))


def span_bytes(fact: SpanFact, renamed: Mapping[str, str]) -> bytes:
    """The message Span of one span; attributes in `renamed` get that name."""
    trace = bytes.fromhex(fact.trace_id)
    made = [
        b"\x0a\x10" + trace + b"\x12\x08" + bytes.fromhex(fact.span_id),
        b"\x22\x08" + bytes.fromhex(fact.parent_id) if fact.parent_id else b"",
        _text(5, fact.name),
        _CLIENT if fact.remote else _INTERNAL,
        _TIMES(0x39, nanoseconds(fact.start), 0x41, nanoseconds(fact.end)),
        _attributes(9, _renamed(fact.attributes, renamed)),
        *[_part(11, _event(event)) for event in fact.events],
        *[_part(13, _link(*link)) for link in fact.links],
        _status(fact.error),
        _SAME_PROCESS,
    ]
    return b"".join(made)


def _renamed(given: Mapping[str, Any], renamed: Mapping[str, str]) -> Mapping[str, Any]:
    return {renamed.get(name, name): each for name, each in given.items()} if renamed else given


def nanoseconds(moment: datetime) -> int:
    """Since 1970."""
    # Not `timestamp() * 1e9`: a float of that size is precise to a quarter of a microsecond only.
    return int(moment.timestamp()) * 1_000_000_000 + moment.microsecond * 1000


@lru_cache(maxsize=64)
def _status(error: str) -> bytes:
    return _part(15, (_text(2, error) + bytes((0x18, _ERROR))) if error else b"")


def _event(event: SpanEvent) -> bytes:
    head = b"\x09" + _FIXED64(nanoseconds(event.time)) + _text(2, event.name)
    return head + _attributes(3, event.attributes)


def _link(trace: str, span: str) -> bytes:
    ids = b"\x0a\x10" + bytes.fromhex(trace) + b"\x12\x08" + bytes.fromhex(span)
    return ids + _OTHER_PROCESS


def _attributes(field: int, given: Mapping[str, Any]) -> bytes:
    return b"".join(
        [
            _made(field, name, value)
            if isinstance(value, str) and len(value) > _LONGEST_KEPT
            else _kept(field, name, value)
            for name, value in given.items()
        ]
    )


def _made(field: int, name: str, value: Any) -> bytes:
    return _part(field, _text(1, name) + _part(2, _value(value)))


# Typed: True and 1 are equal.
_kept: Final = lru_cache(maxsize=4096, typed=True)(_made)


def _value(value: Any) -> bytes:
    """AnyValue."""
    if isinstance(value, str):
        return _text(1, value)
    if isinstance(value, bool):
        return b"\x10\x01" if value else b"\x10\x00"
    if isinstance(value, int):
        return b"\x18" + _varint(value & 0xFFFFFFFFFFFFFFFF)  # two's complement, if negative
    if isinstance(value, float):
        return b"\x21" + _DOUBLE(value)
    return _part(5, b"".join([_part(1, _value(one)) for one in value]))


def _text(field: int, value: str) -> bytes:
    return _part(field, value.encode(errors="replace"))


def _part(field: int, content: bytes) -> bytes:
    """A field with a length."""
    size = len(content)
    if size < 0x80:  # most are
        return bytes((field << 3 | 2, size)) + content
    return bytes((field << 3 | 2,)) + _varint(size) + content


def _varint(number: int) -> bytes:
    made = bytearray()
    while number >= 0x80:
        made.append(number & 0x7F | 0x80)
        number >>= 7
    made.append(number)
    return bytes(made)
