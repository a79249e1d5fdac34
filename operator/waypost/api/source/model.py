"""Models of an EventSource. Descriptions are what `kubectl explain` prints."""

from typing import Annotated, Final, Literal

from pydantic import Field, StringConstraints

from waypost.api.base import (
    UNIQUE_ITEMS,
    JsonObject,
    JsonValue,
    Model,
    StatusCondition,
    StatusModel,
    keyed_by,
)
from waypost.api.endpoint import KeyRef
from waypost.api.template.ref import TemplateRef

MAX_RULES: Final = 50
MAX_HEADERS: Final = 20
MAX_SECRETS: Final = 2  # the new one and the old one
MAX_CLAIMS: Final = 8
MAX_CLAIM_VALUES: Final = 50
# Neither query nor user name: the issuer is compared with the claim, letter by letter.
ISSUER_PATTERN: Final = r"^https://[^/?#@\s]+(/[^?#\s]*)?$"
HEADER_PATTERN: Final = r"^[a-z0-9]([-a-z0-9]{0,62}[a-z0-9])?$"

Preset = Literal["GitHub", "Stripe", "Slack", "StandardWebhooks"]
Header = Annotated[str, StringConstraints(pattern=HEADER_PATTERN, max_length=64)]
ClaimName = Annotated[str, StringConstraints(pattern=r"^[^\s]+$", max_length=128)]
AcceptedValues = Annotated[
    list[Annotated[str, StringConstraints(min_length=1, max_length=512)]],
    Field(min_length=1, max_length=MAX_CLAIM_VALUES),
]
_Text = Annotated[str, StringConstraints(min_length=1, max_length=4096)]


class SignedRequests(Model):
    """Each request is signed with a secret that the sender has too (HMAC-SHA256)."""

    preset: Preset = Field(
        description="How the sender signs. GitHub: X-Hub-Signature-256. Stripe: Stripe-Signature. "
        "Slack: X-Slack-Signature. StandardWebhooks: webhook-signature. All but GitHub sign the "
        "time too: a request that is more than five minutes old is refused."
    )
    secrets: list[KeyRef] = Field(
        min_length=1,
        max_length=MAX_SECRETS,
        description="Keys of Secrets with the signing secret. Two while it is replaced: a request "
        "that is signed with either is accepted.",
    )


class BearerToken(Model):
    """Each request has the header Authorization: Bearer TOKEN."""

    tokens: list[KeyRef] = Field(
        min_length=1,
        max_length=MAX_SECRETS,
        description="Keys of Secrets with the token. Two while it is replaced.",
    )


class OidcToken(Model):
    """Each request has the header Authorization: Bearer TOKEN with a token of an OpenID Connect
    issuer. The ingress reads the public keys of the issuer; no secret is shared."""

    issuer: str = Field(
        pattern=ISSUER_PATTERN,
        max_length=512,
        description="URL of the issuer, exactly as in the claim iss, for example "
        "https://token.actions.githubusercontent.com.",
    )
    audience: str = Field(
        min_length=1,
        max_length=512,
        description="Text that the claim aud must be or contain. Choose one that only this source "
        "uses; the sender asks its issuer for a token with it.",
    )
    claims: dict[ClaimName, AcceptedValues] = Field(
        min_length=1,
        max_length=MAX_CLAIMS,
        description="Claims that the token must have, each with its accepted values, for example "
        "repository: [octo/hello]. A public issuer gives tokens to everybody, so at least one is "
        "needed. A claim that is a list must contain an accepted value.",
    )


class SourceAuth(Model):
    """How the sender proves who it is: exactly one of hmac, bearer and oidc."""

    hmac: SignedRequests | None = Field(default=None, description=SignedRequests.__doc__)
    bearer: BearerToken | None = Field(default=None, description=BearerToken.__doc__)
    oidc: OidcToken | None = Field(default=None, description=OidcToken.__doc__)


class SentEvent(Model):
    """The WorkflowEvent that a request becomes."""

    name: _Text = Field(
        description="Name of the event, for event.names of a node. ${...} is evaluated."
    )
    key: _Text = Field(
        description="Key of the event, for event.key of a node. ${...} is evaluated."
    )
    payload: JsonValue | None = Field(
        default=None,
        description="Payload of the event, at most 16384 bytes of JSON. ${...} is evaluated; "
        "${body} is the whole body. Default: none.",
    )


class StartedRun(Model):
    """A run that a request starts. The template must list this source in spec.triggers."""

    template_ref: TemplateRef = Field(
        description="AgentWorkflowTemplate of this namespace that the run uses. It is fixed text."
    )
    inputs: JsonObject | None = Field(
        default=None,
        description="Inputs of the run, at most 16384 bytes of JSON. ${...} is evaluated.",
    )


class SourceRule(Model):
    """What becomes of a request: exactly one of event and start."""

    when: _Text | None = Field(
        default=None,
        description="The rule applies if this ${...} is true. Default: it always applies.",
    )
    id: _Text | None = Field(
        default=None,
        description="Text that is the same if a request is sent again; ${...} is evaluated. Of "
        "requests with one id only the first becomes an event. It cannot read headers with hmac, "
        "because they are not signed. Default: the id that the preset or CloudEvents define, else "
        "the digest of the body.",
    )
    event: SentEvent | None = Field(default=None, description=SentEvent.__doc__)
    start: StartedRun | None = Field(default=None, description=StartedRun.__doc__)


class EventSourceSpec(Model):
    """Who may send events over HTTP, and what becomes of a request. In ${...}, body is the JSON of
    the request, and headers has those that are listed, in lower case."""

    auth: SourceAuth = Field(description=SourceAuth.__doc__)
    body_schema: JsonObject | None = Field(
        default=None,
        alias="schema",
        description="JSON Schema (2020-12) for the body. A request that does not match is refused.",
    )
    headers: list[Header] | None = Field(
        default=None,
        max_length=MAX_HEADERS,
        description="Names of the headers that rules may read, in lower case. The attributes of a "
        "CloudEvent need no entry: ce-id, ce-source, ce-type, ce-subject and ce-time.",
        json_schema_extra=UNIQUE_ITEMS,
    )
    rules: list[SourceRule] = Field(
        min_length=1,
        max_length=MAX_RULES,
        description="The first rule that applies is used. If none does, the sender gets 200 and "
        "nothing happens.",
    )
    requests_per_minute: int = Field(
        default=600,
        ge=1,
        le=60_000,
        description="How many requests each replica of the ingress accepts in a minute. More get "
        "429.",
    )
    suspend: bool | None = Field(
        default=None,
        description="true: requests get 503, so that the sender tries again later.",
    )


class EventSourceStatus(StatusModel):
    """Result of the static check of the source. Only the operator writes it."""

    observed_generation: int = Field(
        default=0, ge=0, description="The metadata.generation this status was computed from."
    )
    conditions: list[StatusCondition] = Field(
        default_factory=list,
        max_length=8,
        description="Condition: Accepted.",
        json_schema_extra=keyed_by("type"),
    )
