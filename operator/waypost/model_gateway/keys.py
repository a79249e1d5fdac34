"""The keys of providers and tool servers: read by name, kept in memory for a minute, sent to listed
hosts only."""

import base64
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, TypeVar

from pydantic import ValidationError

from waypost.api.endpoint import KeyRef, TlsSource, ValueSource
from waypost.api.kinds.http import HttpAuth, HttpKind
from waypost.api.provider import ModelProviderSpec, ProviderType
from waypost.api.toolserver import ClientCredentials, HttpServer, ToolServerSpec
from waypost.kube import objects
from waypost.model_gateway.core.addresses import HOSTS_ANNOTATION, host_problem, hosts_of_secret
from waypost.model_gateway.core.refusals import CallRefusal, CallRefused
from waypost.ports.cluster import Cluster, Kind, NotFound, Obj, Rejected

KEPT_SECONDS: Final = 60.0
_KEPT: Final = 1024
Spec = TypeVar("Spec", ModelProviderSpec, ToolServerSpec)


@dataclass(frozen=True)
class Access:
    """What a call to a provider needs. Nothing of it is in messages or logs."""

    key: str | None = field(default=None, repr=False)
    headers: dict[str, str] = field(default_factory=dict, repr=False)
    query: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    ca: str | None = None
    secrets: tuple[str, ...] = field(default=(), repr=False)  # to be removed from error messages


class Keys:
    """Reads what a ModelProvider names. Every method raises CallRefused, or ClusterError if the
    API server cannot be reached."""

    def __init__(self, *, cluster: Cluster, monotonic: Callable[[], float]) -> None:
        self._cluster = cluster
        self._monotonic = monotonic
        self._kept: OrderedDict[tuple[Kind, str, str], tuple[float, Obj]] = OrderedDict()

    async def provider(self, namespace: str, name: str) -> ModelProviderSpec:
        """The spec of a ModelProvider, as it is now."""
        read = ModelProviderSpec.model_validate
        refusal = CallRefusal.NO_PROVIDER
        return await self._spec(Kind.MODEL_PROVIDER, namespace, name, read, refusal)

    async def access(self, namespace: str, spec: ModelProviderSpec, *, host: str) -> Access:
        """The key, headers, query parameters and CA of a provider.

        Args:
            namespace: That of the run.
            spec: The provider.
            host: Where they are sent to; each Secret must list it.
        """
        reader = _Reader(self, namespace, host, spec.type)
        key = await reader.secret(spec.api_key) if spec.api_key else None
        headers = {each.name: await reader.value(each) for each in spec.headers or []}
        query = [(each.name, await reader.value(each)) for each in spec.query or []]
        ca = await reader.ca(spec.tls)
        return Access(key, headers, tuple(query), ca, tuple(reader.secrets))

    async def of_request(self, namespace: str, http: HttpKind, *, host: str) -> Access:
        """What an http node takes from Secrets and ConfigMaps: headers and CA.

        Args:
            namespace: That of the run.
            http: The node, as the definition of the run has it.
            host: Where they are sent to; each Secret must list it.
        """
        reader = _Reader(self, namespace, host)
        given = [each for each in http.headers or () if each.value_from is not None]
        headers = {each.name: await reader.value(each) for each in given}
        if http.auth is not None:
            headers["Authorization"] = await reader.authorization(http.auth)
        return Access(headers=headers, ca=await reader.ca(http.tls), secrets=tuple(reader.secrets))

    async def tool_server(self, namespace: str, name: str) -> ToolServerSpec:
        """The spec of a ToolServer, as it is now."""
        read = ToolServerSpec.model_validate
        return await self._spec(Kind.TOOL_SERVER, namespace, name, read, CallRefusal.NO_SERVER)

    async def of_server(self, namespace: str, http: HttpServer, *, host: str) -> Access:
        """What a ToolServer takes from Secrets and ConfigMaps: headers, query and CA.

        Args:
            namespace: That of the run.
            http: The server.
            host: Where they are sent to; each Secret must list it.
        """
        reader = _Reader(self, namespace, host, by="ToolServer")
        headers = {each.name: await reader.value(each) for each in http.headers or []}
        query = [(each.name, await reader.value(each)) for each in http.query or []]
        ca = await reader.ca(http.tls)
        return Access(None, headers, tuple(query), ca, tuple(reader.secrets))

    async def client_secret(
        self, namespace: str, oauth: ClientCredentials, *, hosts: tuple[str, ...]
    ) -> str:
        """The secret of an OAuth client, of a Secret that lists all of `hosts`: the token server,
        and the server that gets the token."""
        found = [
            await _Reader(self, namespace, host, by="ToolServer").secret(oauth.client_secret)
            for host in hosts
        ]
        return found[0]

    async def _spec(
        self,
        kind: Kind,
        namespace: str,
        name: str,
        read: Callable[[Obj], Spec],
        refusal: CallRefusal,
    ) -> Spec:
        try:
            body = await self._cluster.get(kind, namespace=namespace, name=name)
            return read(objects.section(body, "spec"))
        except NotFound:
            text = f"{kind.kind} {name} does not exist"
        except ValidationError:
            text = f"{kind.kind} {name} cannot be read; see its condition Ready"
        raise CallRefused(refusal, text)

    async def read(self, kind: Kind, namespace: str, name: str) -> Obj:
        """A Secret or ConfigMap of a provider, at most a minute old."""
        known = self._kept.get((kind, namespace, name))
        if known is not None and self._monotonic() < known[0]:
            return known[1]
        try:
            body = await self._cluster.get(kind, namespace=namespace, name=name)
        except NotFound:
            text = f"{kind.kind} {name} does not exist in namespace {namespace}"
            raise CallRefused(CallRefusal.KEY_MISSING, text) from None
        except Rejected as error:
            if error.code != 403:
                raise
            text = (
                f"the model gateway may not read {kind.kind} {name} in namespace {namespace}; an "
                "administrator of the namespace grants it with: waypost provider grant"
            )
            raise CallRefused(CallRefusal.KEY_NOT_GRANTED, text) from None
        self._kept[kind, namespace, name] = (self._monotonic() + KEPT_SECONDS, body)
        self._kept.move_to_end((kind, namespace, name))
        while len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
        return body


class _Reader:
    """Reads values for one call, and remembers which of them are secret."""

    def __init__(
        self,
        keys: Keys,
        namespace: str,
        host: str,
        type_: ProviderType | None = None,
        *,
        by: str = "http node",
    ) -> None:
        self._keys = keys
        self._namespace = namespace
        self._type = type_
        self._host = host
        self._by = "ModelProvider" if type_ else by
        self.secrets: list[str] = []

    async def value(self, given: object) -> str:
        """The value of a header or query parameter."""
        source = getattr(given, "value_from", None)
        if source is None:
            return str(getattr(given, "value", None) or "")
        return _in_header(await self.source(source), "a header or query parameter")

    async def source(self, source: ValueSource, *, sent: bool = True) -> str:
        """The text of a key in a Secret or ConfigMap; `sent`: it goes to the provider."""
        if source.secret_key_ref is not None:
            return await self._secret(source.secret_key_ref, sent=sent)
        ref = source.config_map_key_ref
        assert ref is not None, "refused by the CRD"
        body = await self._keys.read(Kind.CONFIG_MAP, self._namespace, ref.name)
        found = objects.section(body, "data").get(ref.key)
        if not isinstance(found, str):
            raise _no_key("ConfigMap", ref)
        return found

    async def ca(self, tls: TlsSource | None) -> str | None:
        """The CA certificates to trust besides the public ones."""
        if tls is None:
            return None
        source = ValueSource(secret_key_ref=tls.ca_secret, config_map_key_ref=tls.ca_config_map)
        return await self.source(source, sent=False)

    async def authorization(self, auth: HttpAuth) -> str:
        """The header of an http node."""
        if auth.bearer is not None:
            return f"Bearer {await self.secret(auth.bearer)}"
        basic = auth.basic
        assert basic is not None, "refused by the CRD"
        user = KeyRef(name=basic.name, key=basic.username_key or "username")
        known = len(self.secrets)
        name = await self._secret(user, sent=True)
        del self.secrets[known:]  # a user name is no secret: it may be in an answer
        word = KeyRef(name=basic.name, key=basic.password_key or "password")
        both = f"{name}:{await self._secret(word, sent=True)}"
        encoded = base64.b64encode(both.encode()).decode()
        self.secrets.append(encoded)
        return f"Basic {encoded}"

    async def secret(self, ref: KeyRef) -> str:
        """The API key."""
        return _in_header(await self._secret(ref, sent=True), f"key {ref.key} of Secret {ref.name}")

    async def _secret(self, ref: KeyRef, *, sent: bool) -> str:
        body = await self._keys.read(Kind.SECRET, self._namespace, ref.name)
        notes = objects.section(body, "metadata", "annotations")
        allowed = hosts_of_secret(objects.text(notes, HOSTS_ANNOTATION), self._type)
        problem = host_problem(self._host, allowed, secret=ref.name, named_by=self._by)
        if sent and problem:
            raise CallRefused(CallRefusal.HOST, problem)
        text = objects.secret_text(body, ref.key)
        if not text:
            raise _no_key("Secret", ref)
        self.secrets += [text, *text.split()[1:]] if sent else []
        return text


def _in_header(text: str, named: str) -> str:
    if not text.isascii() or not text.isprintable():
        found = f"{named} has characters that no header can hold, such as a line break"
        raise CallRefused(CallRefusal.KEY_INVALID, found)
    return text


def _no_key(kind: str, ref: KeyRef) -> CallRefused:
    text = f"{kind} {ref.name} has no text in key {ref.key}; add it, or name the right key"
    return CallRefused(CallRefusal.KEY_MISSING, text)
