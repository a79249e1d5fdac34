"""The part of the protobuf wire format that reading and writing a syntax tree needs."""

from __future__ import annotations

from typing import TypeAlias

# (field number, value): an int for varints, bytes for everything else.
Field: TypeAlias = tuple[int, int | bytes]

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_FIXED_SIZE = {_FIXED64: 8, _FIXED32: 4}


def fields(message: bytes) -> list[Field]:
    """The fields of one message in their order; a repeated field occurs several times."""
    parsed: list[Field] = []
    at, end = 0, len(message)
    while at < end:
        # Nearly all tags and sizes are one byte; a tree has thousands of them.
        tag = message[at]
        at += 1
        if tag > 0x7F:
            tag, at = _read_varint(message, at - 1)
        kind = tag & 7
        if kind in _FIXED_SIZE:
            size = _FIXED_SIZE[kind]
        else:
            size = message[at]
            at += 1
            if size > 0x7F:
                size, at = _read_varint(message, at - 1)
        if kind == _VARINT:
            parsed.append((tag >> 3, size))
            continue
        parsed.append((tag >> 3, message[at : at + size]))
        at += size
    return parsed


def last(message: list[Field], number: int) -> bytes:
    """The bytes of a single field; empty if it is left out."""
    for key, value in reversed(message):
        if key == number and isinstance(value, bytes):
            return value
    return b""


def last_int(message: list[Field], number: int) -> int:
    """The integer of a single field; 0 if it is left out."""
    for key, value in reversed(message):
        if key == number and isinstance(value, int):
            return value
    return 0


def text(message: list[Field], number: int) -> str:
    """The string of a single field; "" if it is left out."""
    return last(message, number).decode()


def every(message: list[Field], number: int) -> list[bytes]:
    """The values of a repeated field of messages or strings."""
    return [value for key, value in message if key == number and isinstance(value, bytes)]


def integers(message: list[Field], number: int) -> list[int]:
    """The values of a repeated integer field, packed (as proto3 writes it) or not."""
    values: list[int] = []
    for key, value in message:
        if key != number:
            continue
        if isinstance(value, int):
            values.append(value)
            continue
        at = 0
        while at < len(value):
            one, at = _read_varint(value, at)
            values.append(one)
    return values


def put(number: int, value: int | bytes | str) -> bytes:
    """One field. Zero and empty strings are written too: readers treat both as the default."""
    if isinstance(value, int):
        return _varint(number << 3 | _VARINT) + _varint(value)
    payload = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | _BYTES) + _varint(len(payload)) + payload


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
