"""Requests to our services: their paths, headers and bodies, right and wrong."""

import asyncio
import gzip
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx2
from hypothesis import strategies as st
from waypost.protocol import ijson

from tests.fuzz.crds import TEXTS, VALUES

LIMIT = 64 * 1024  # bytes of a refusal


@dataclass(frozen=True)
class Asked:
    """One request."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


def requests(*templates: str, token: str, right: dict[str, str]) -> st.SearchStrategy[Asked]:
    """Requests to these paths, in which {} stands for anything.

    Args:
        templates: The paths.
        token: What the caller of the service has.
        right: Headers that a right request may have; {digest} is that of the body.
    """
    names = st.sampled_from([*right, "content-type", "content-encoding", "content-length", "x-odd"])
    odd = st.dictionaries(names, TEXTS.map(_header), max_size=3)
    authorization = st.sampled_from([f"Bearer {token}"] * 4 + ["Bearer x", "Basic eA==", ""])
    return st.builds(
        _asked,
        method=st.sampled_from(["PUT", "GET", "POST", "DELETE"]),
        template=st.sampled_from(templates),
        piece=st.one_of(
            st.sampled_from(["result", "input", "trace", "1", "0", "-1", "10" * 20, "..", "%00"]),
            TEXTS.map(lambda text: quote(text, safe="")),
        ),
        authorization=authorization,
        body=st.one_of(
            VALUES.map(lambda value: json.dumps(value).encode()),
            VALUES.map(lambda value: gzip.compress(json.dumps(value).encode())),
            st.binary(max_size=64),
        ),
        right=st.just(right),
        given=st.booleans(),
        odd=odd,
    )


def _asked(
    *,
    method: str,
    template: str,
    piece: str,
    authorization: str,
    body: bytes,
    right: dict[str, str],
    given: bool,
    odd: dict[str, str],
) -> Asked:
    headers = {"authorization": authorization}
    if given:
        headers |= {key: text.replace("{digest}", _digest(body)) for key, text in right.items()}
    return Asked(method, template.replace("{}", piece), headers | odd, body)


def _digest(body: bytes) -> str:
    try:
        return ijson.digest(ijson.parse(body))
    except ijson.IJsonError:
        return "sha256:" + "0" * 64


def _header(text: str) -> str:
    """What a client can send in a header."""
    return "".join(each for each in text if each.isascii() and each.isprintable())


async def answers(client: httpx2.AsyncClient, asked: Asked) -> httpx2.Response:
    """The response, which must be no mistake of the service and of limited size."""
    body: Any = asked.body
    response = await client.request(
        asked.method, asked.path or "/", content=body, headers=asked.headers
    )
    assert response.status_code < 500, (asked, response.text)
    if response.status_code >= 400:
        assert len(response.content) <= LIMIT
    return response


def run(coroutine: Any) -> None:
    """Run to its end; a loop for each example, so that none sees what another left."""
    asyncio.run(coroutine)
