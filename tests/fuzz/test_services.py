"""Requests to each endpoint of both gateways and of the ingress: none is answered with a mistake of
the service, a refusal says why, and the next request is served (S784)."""

import json

from hypothesis import given
from hypothesis import strategies as st
from waypost.ports.cluster import Obj
from waypost.protocol import ijson

from tests.fuzz.crds import TEXTS, VALUES
from tests.fuzz.extent import extent
from tests.fuzz.requests import Asked, answers, requests, run
from tests.gateway.place import TOKEN as POD
from tests.gateway.place import place as gateway
from tests.ingress.place import PATH, github
from tests.ingress.place import place as ingress
from tests.model_gateway.place import ASK, CHAT
from tests.model_gateway.place import TOKEN as AGENT
from tests.model_gateway.place import place as models
from tests.model_gateway.test_http_requests import annotated, send, sending
from tests.model_gateway.test_tools import PATH as TOOLS
from tests.model_gateway.test_tools import calling
from tests.model_gateway.test_tools import serving as tool_server

_FRAMEWORK = (404, 405)  # a path or method that is none: of the framework, without a document

PAYLOADS = requests(
    "/v1/payloads/{}",
    "/v1/journal",
    "/v1/journal?after={}",
    "/v1/journal/{}",
    "/v1/artifacts/in/{}",
    "/v1/artifacts/out/{}",
    "/{}",
    token=POD,
    right={
        "waypost-digest": "{digest}",
        "content-type": "application/json",
        "waypost-bytes": "10",
        "waypost-files": "1",
    },
)
CALLS = requests(
    "/v1/model/{}/chat/completions",
    "/v1/model/0/{}",
    "/v1/model/0/chat/completions?{}",
    "/v1/model/{}",
    "/v1/http",
    token=AGENT,
    right={"content-type": "application/json", "accept": "text/event-stream"},
)
SENDS = requests(
    "/v1/http",
    "/v1/http?{}",
    "/v1/http/{}",
    token=AGENT,
    right={"content-type": "application/json", "idempotency-key": "once"},
)
MESSAGES = requests(
    "/v1/tools/1",
    "/v1/tools/{}",
    "/v1/tools/1/{}",
    "/v1/tools/1?{}",
    token=AGENT,
    right={
        "content-type": "application/json",
        "mcp-session-id": "s-1",
        "last-event-id": "7",
        "mcp-method": "tools/call",
    },
)
EVENTS = requests(
    PATH,
    f"{PATH}/{{}}",
    f"{PATH}?{{}}",
    "/v1/events/{}/github",
    "/v1/events/default/{}",
    token="none",
    right={"content-type": "application/json", "x-github-event": "push", "x-github-delivery": "1"},
)


@extent
@given(asked=st.lists(PAYLOADS, min_size=1, max_size=8))
def test_the_gateway(asked: list[Asked]) -> None:
    async def serve() -> None:
        async with gateway() as place:
            for one in asked:
                response = await answers(place.client, one)
                if response.status_code >= 400 and response.status_code not in _FRAMEWORK:
                    assert {"reason", "message"} <= set(response.json())
            # What it stores is a result of this attempt; it was one of the requests, or is this.
            body = ijson.canonical({"after": "all"})
            assert (await place.put(body)).status_code in (200, 201, 409)

    run(serve())


@extent
@given(asked=st.lists(CALLS, min_size=1, max_size=6))
def test_the_model_gateway(asked: list[Asked]) -> None:
    async def serve() -> None:
        async with models() as place:
            for one in asked:
                response = await answers(place.client, one)
                if response.status_code >= 400 and response.status_code not in _FRAMEWORK:
                    assert response.json()["error"]["message"]
                    assert response.headers["waypost-refused"]
            assert (await place.call(CHAT, ASK)).status_code == 200

    run(serve())


@extent
@given(
    asked=st.lists(SENDS, min_size=1, max_size=4),
    annotation=st.one_of(TEXTS, VALUES.map(json.dumps)),
)
def test_the_requests_of_http_nodes(asked: list[Asked], annotation: str) -> None:
    """Whatever a pod sends, and whatever its annotation says: only the request of the node is
    sent."""

    async def serve() -> None:
        async with sending(method="POST", body={"n": 1}) as place:
            for one in asked:
                response = await answers(place.client, one)
                if response.status_code >= 400 and response.status_code not in _FRAMEWORK:
                    assert response.headers["waypost-refused"]
            assert {body for _, body in place.provider.calls} <= {b'{"n":1}'}
            assert (await send(place, b'{"n":1}')).status_code == 200
            sent = len(place.provider.calls)
            annotated(place, annotation)
            assert (await send(place, b'{"n":1}')).status_code == 403
            assert len(place.provider.calls) == sent

    run(serve())


@extent
@given(
    asked=st.lists(MESSAGES, min_size=1, max_size=6),
    fields=st.dictionaries(
        st.sampled_from(["jsonrpc", "id", "method", "Method", "params", "result", "x"]),
        st.one_of(VALUES, st.sampled_from(["2.0", "tools/call", {"name": "drop"}])),
    ),
)
def test_messages_to_tool_servers(asked: list[Asked], fields: Obj) -> None:
    """Whatever a pod sends: no tool is called but those of the node (S613)."""

    async def serve() -> None:
        async with tool_server() as place:
            for one in [
                *asked,
                Asked("POST", TOOLS, asked[0].headers, json.dumps(fields).encode()),
            ]:
                response = await answers(place.client, one)
                if response.status_code >= 400 and response.status_code not in _FRAMEWORK:
                    assert response.headers["waypost-refused"]
            bodies = [
                json.loads(body) for sent, body in place.provider.calls if sent.method == "POST"
            ]
            assert {type(body) for body in bodies} <= {dict}
            called = [
                body["params"]["name"] for body in bodies if body.get("method") == "tools/call"
            ]
            assert set(called) <= {"send", "find"}
            assert (await place.call(TOOLS, calling())).status_code == 200

    run(serve())


@extent
@given(asked=st.lists(EVENTS, min_size=1, max_size=6), signed=st.booleans())
def test_the_ingress(asked: list[Asked], signed: bool) -> None:
    async def serve() -> None:
        async with ingress() as place:
            place.source()
            for one in asked:
                headers = one.headers | (github(one.body) if signed else {})
                sent = Asked(one.method, one.path, headers, one.body)
                response = await answers(place.client, sent)
                if response.status_code >= 400:
                    assert response.headers["content-type"] == "application/problem+json"
                    assert response.json()["status"] == response.status_code
                    assert response.json()["title"]
            assert (await place.post()).status_code < 300

    run(serve())
