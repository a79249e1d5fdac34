"""Parses bodies with integers beyond 2^53, such as 64-bit ids, for `http.bigIntegers: AsText`.

JSON readers, the API server among them, would round them to a double and lose digits.
"""

from copy import deepcopy
from typing import Any

from waypost.protocol import ijson, schema
from waypost.protocol.ijson import Json

ADVICE = "set http.bigIntegers: AsText to get such integers as strings"


def parse_as_text(content: bytes, response_schema: Json | None) -> Json:
    """Parse a JSON body; each integer beyond 2^53 becomes a string of its digits.

    An id must not change its type with its size: a smaller integer becomes a string too where
    `response_schema` takes a string and no integer.

    Args:
        content: the body, in UTF-8.
        response_schema: JSON Schema of the body, None for none.

    Raises:
        ijson.IJsonError: the body is not I-JSON for another reason.
    """
    value = ijson.parse(content, big_integers_as_text=True)
    if response_schema is None:
        return value
    return _as_the_schema_says(value, response_schema)


def _as_the_schema_says(value: Json, response_schema: Json) -> Json:
    odd = [
        path
        for path in schema.violating_paths(response_schema, value)
        if type(_at(value, path)) is int
    ]
    if not odd:
        return value
    if odd[0] == ():
        return str(value)
    converted = deepcopy(value)
    for path in odd:
        _at(converted, path[:-1])[path[-1]] = str(_at(value, path))
    still_odd = set(schema.violating_paths(response_schema, converted))
    for path in odd:
        if path in still_odd:  # not meant as text: report what the server sent
            _at(converted, path[:-1])[path[-1]] = _at(value, path)
    return converted


def _at(value: Json, path: tuple[str | int, ...]) -> Any:
    for key in path:
        value = value[key]
    return value
