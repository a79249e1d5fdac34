"""The work of an http node: its request with all expressions evaluated, and its keys as files."""

from typing import Final
from urllib.parse import quote

from waypost.api.base import JsonObject
from waypost.api.endpoint import KeyRef
from waypost.api.kinds.http import HttpAuth, HttpKind
from waypost.api.status import AttemptStatus
from waypost.compiler.node_settings import effect_of, isolation_of
from waypost.engine.nodes.kind import EngineKind
from waypost.engine.state.inputs import Invalid
from waypost.engine.state.resolved import Resolved
from waypost.engine.state.transition import Transition
from waypost.expressions.estimates.cost import Budget
from waypost.expressions.templates import NullPolicy, RenderError, render_json, render_text
from waypost.kube.egress.forwarded import (
    LIMIT,
    PATH,
    Forwarded,
    body_of,
    digest_of,
    url_problem,
    whole_url,
)
from waypost.kube.manifests.model_calls import models_url
from waypost.kube.manifests.pod import Rendered
from waypost.kube.manifests.tokens import MODELS_TOKEN
from waypost.kube.secret_files import KeyFile, ca_file, value_file

DEFAULT_MAX_BYTES: Final = 1024 * 1024
_SCHEMES: Final = ("http://", "https://")
_ADDED: Final = ("auth", "caFile")  # what the model gateway takes from the definition of the run
_NO_MODEL_GATEWAY: Final = (
    "isolation.egress: Gateway needs the model gateway, and this installation has none; set the "
    "chart value modelGateway.enabled, or use AllowList with the address that the node calls"
)


def http_work(http: HttpKind, *, effect: str, view: JsonObject) -> Resolved | Invalid:
    """The `http` part of the request document (docs/adr/0008-agent-nodes.md).

    Args:
        http: The node's http block.
        effect: `none`, `idempotent` or `once`.
        view: The evaluation context, with `self`.

    Returns:
        The document and its key files; Invalid if a field cannot be evaluated.
    """
    try:
        return _work(http, effect, view)
    except _Unfit as error:
        return Invalid(str(error))


class _Unfit(Exception):
    """A field that cannot be evaluated, or whose value is not allowed."""


def _work(http: HttpKind, effect: str, view: JsonObject) -> Resolved:
    budget = Budget.of_many()
    url = _text("http.url", http.url, view, budget, encoded=True)
    if not url.startswith(_SCHEMES):
        raise _Unfit(f"http.url: expected an http or https URL, found {url[:80]!r}")
    headers, files = _headers(http, view, budget)
    document: JsonObject = {
        "method": http.method or "GET",
        "url": url,
        "query": {
            key: _text(f"http.query.{key}", text, view, budget)
            for key, text in (http.query or {}).items()
        },
        "headers": headers,
        "maxBytes": http.max_bytes or DEFAULT_MAX_BYTES,
        "effect": effect,
    }
    if http.success_codes:
        document["successCodes"] = http.success_codes
    if http.response_schema is not None:
        document["responseSchema"] = http.response_schema
    if http.big_integers == "AsText":
        document["bigIntegers"] = http.big_integers
    if "body" in http.model_fields_set:
        body = render_json(http.body, view, budget)
        if isinstance(body, RenderError):
            raise _Unfit(f"http.body{'.' if body.path else ''}{body.path}: {body.message}")
        document["body"] = body
    if http.auth:
        files += (own := _auth_files(http.auth))
        document["auth"] = {f"{file.path.rpartition('/')[2]}File": file.mounted for file in own}
    if ca := ca_file("http/ca", http.tls):
        files.append(ca)
        document["caFile"] = ca.mounted
    return Resolved(document, tuple(files))


def _headers(
    http: HttpKind, view: JsonObject, budget: Budget
) -> tuple[list[JsonObject], list[KeyFile]]:
    headers: list[JsonObject] = []
    files: list[KeyFile] = []
    for at, header in enumerate(http.headers or []):
        if header.value_from is None:
            value = _text(f"http.headers[{at}].value", header.value or "", view, budget)
            if "\n" in value or "\r" in value:
                raise _Unfit(f"http.headers[{at}].value: a header cannot hold a line break")
            headers.append({"name": header.name, "value": value})
        else:
            files.append(value_file(f"http/{at}", header.value_from))
            headers.append({"name": header.name, "file": files[-1].mounted})
    return headers, files


def _auth_files(auth: HttpAuth) -> list[KeyFile]:
    if auth.bearer:
        return [KeyFile("http/bearer", "secret", auth.bearer)]
    assert auth.basic is not None, "refused by the CRD"
    name, user, word = auth.basic.name, auth.basic.username_key, auth.basic.password_key
    return [
        KeyFile("http/username", "secret", KeyRef(name=name, key=user or "username")),
        KeyFile("http/password", "secret", KeyRef(name=name, key=word or "password")),
    ]


def _text(place: str, text: str, view: JsonObject, budget: Budget, *, encoded: bool = False) -> str:
    encode = _quoted if encoded else str
    value = render_text(text, view, null=NullPolicy.REFUSE, encode=encode, budget=budget)
    if isinstance(value, RenderError):
        raise _Unfit(f"{place}: {value.message}")
    return value


def _quoted(text: str) -> str:
    return quote(text, safe="")


def _render(
    transition: Transition, path: str, view: JsonObject, attempt: AttemptStatus
) -> Rendered | Invalid:
    node = transition.node(path)
    assert node.http is not None, "called for http nodes only"
    work = http_work(node.http, effect=effect_of(node), view=view)
    if isinstance(work, Invalid):
        return work
    isolation = isolation_of(transition.spec, node)
    if isolation.egress != "Gateway":
        return Rendered(http=work.document, files=work.files)
    gateway = models_url(node, isolation, transition.settings)
    if gateway is None:
        return Invalid(_NO_MODEL_GATEWAY)
    return _by_gateway(node.http, work, gateway)


def _by_gateway(http: HttpKind, work: Resolved, gateway: str) -> Rendered | Invalid:
    """The work of a node whose request the model gateway sends: its pod has no key (S720)."""
    document = {key: work.document[key] for key in work.document if key not in _ADDED}
    document["headers"] = [each for each in work.document["headers"] if "file" not in each]
    document["gateway"] = {"url": gateway + PATH, "tokenFile": MODELS_TOKEN.mounted}
    url = whole_url(document["url"], document["query"])
    if problem := url_problem(url, http.url):
        return Invalid(f"http.url: {problem}; found {url[:80]!r}")
    headers = tuple((each["name"], each["value"]) for each in document["headers"])
    digest = digest_of(body_of(document))
    forwarded = Forwarded(document["method"], url, headers, digest).to_text()
    if len(forwarded) > LIMIT:
        return Invalid(
            f"http: method, URL, query and headers have {len(forwarded)} bytes, and the model "
            f"gateway takes {LIMIT}; pass data in the body"
        )
    return Rendered(http=document, forwarded=forwarded, added=work.files)


KIND: Final = EngineKind("http", render=_render)
