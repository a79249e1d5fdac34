"""All settings of the operator, from environment variables.

Their names start with WAYPOST_, except OTEL_EXPORTER_OTLP_ENDPOINT, which OpenTelemetry defines.
"""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from waypost.api.isolation.policy import NamespacePolicy
from waypost.api.pod import KeepLogs
from waypost.api.validation import words
from waypost.kube.egress.ranges import Network, network_of
from waypost.telemetry.content import ContentPolicy
from waypost.telemetry.versions import VersionName

PREFIX = "WAYPOST_"

# Comma-separated text, as people write lists in a Deployment; pydantic expects JSON.
TextList = Annotated[tuple[str, ...], NoDecode]


def only_networks(value: tuple[str, ...]) -> tuple[str, ...]:
    """The validator of settings with networks."""
    bad = [text for text in value if network_of(text) is None]
    if bad:
        raise ValueError(f"{bad[0]!r} is not a network such as 10.1.0.0/16")
    return value


class SettingsError(Exception):
    """A variable is missing or invalid. The message names each one, on one line."""


class ClusterSettings(BaseSettings):
    """Settings of every command: which cluster, how to log."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore")

    kubeconfig: Path | None = Field(
        default=None,
        description="Kubeconfig to use. Absent: the pod's service account; outside of a pod "
        "KUBECONFIG or ~/.kube/config.",
    )
    namespaces: TextList = Field(
        default=(), description="Namespaces to serve, separated by commas. Empty: all of them."
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        default="INFO", description="Least severity that is logged."
    )
    log_format: Literal["json", "text"] = Field(
        default="json",
        description="json: one object per line, for collectors. text: for terminals.",
    )

    @field_validator(
        "namespaces",
        "private_hosts",
        "identity_hosts",
        "cluster_ranges",
        "dns_addresses",
        mode="before",
        check_fields=False,
    )
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("log_level", mode="before")
    @classmethod
    def _upper(cls, value: object) -> object:
        return value.upper() if isinstance(value, str) else value


class CleanupSettings(ClusterSettings):
    """Settings of `waypost uninstall`."""

    cleanup_namespace: str = Field(default="", description="Namespace of the Job that runs it.")
    cleanup_job: str = Field(
        default="", description="Name of that Job, which gets the result as an Event. Empty: none."
    )


class Settings(ClusterSettings):
    """Settings of `waypost operator`."""

    runner_image: str = Field(
        min_length=1, description="Image of python nodes: the Waypost runner. Required."
    )
    agent_image: str = Field(
        default="",
        description="Image of agent nodes, and of the probes of tool servers. Empty: neither runs.",
    )
    gateway_url: str = Field(
        default="",
        description="Base URL of the gateway, as pods reach it. Empty: outputs above 4 KiB are "
        "refused.",
    )
    gateway_namespace: str = Field(
        default="",
        description="Namespace of the gateway's pods: pods with limited egress may reach them.",
    )
    gateway_labels: TextList = Field(
        default=(), description="Labels of the gateway's pods, as name=value,..."
    )
    models_url: str = Field(
        default="",
        description="Base URL of the model gateway, as pods reach it. Empty: pods of agents get "
        "the keys of their providers.",
    )
    models_for_all: bool = Field(
        default=False,
        description="true: agents use the model gateway whatever isolation.egress says. false: "
        "those with Gateway and AllowList.",
    )
    models_namespace: str = Field(
        default="", description="Namespace of the pods of the model gateway."
    )
    models_labels: TextList = Field(
        default=(), description="Labels of the pods of the model gateway, as name=value,..."
    )
    tls_ca: Path | None = Field(
        default=None,
        description="File with the CAs (PEM) of both gateways, which pods trust. Absent: the URLs "
        "of the gateways begin with http://.",
    )
    gateway_tls_name: str = Field(default="", description="Name in the certificate of the gateway.")
    models_tls_name: str = Field(
        default="", description="Name in the certificate of the model gateway."
    )
    private_hosts: TextList = Field(
        default=(),
        description="Private networks, such as 10.1.0.0/16, that isolation.allow.to may name.",
    )
    cluster_ranges: TextList = Field(
        default=(),
        description="Networks of pods, Services, machines and API server: no address of "
        "isolation.allow.to reaches them.",
    )
    dns_addresses: TextList = Field(
        default=(), description="Addresses of name servers on the machines, for allow.dns."
    )
    probe_seconds: float = Field(
        default=1800,
        ge=60,
        description="Seconds between probes of a ModelProvider or ToolServer that is Ready.",
    )
    http_host: str = Field(
        default="", description="Address to serve probes and metrics on. Empty: every address."
    )
    http_port: int = Field(
        default=8080, ge=0, le=65535, description="Port of /healthz, /readyz and /metrics."
    )
    lease_namespace: str = Field(
        default="",
        description="Namespace of the Lease that elects the leader among several operators. "
        "Empty: no election; a second operator would do no harm but duplicate requests.",
    )
    lease_name: str = Field(
        default="waypost-operator",
        min_length=1,
        description="Name of that Lease; operators that serve the same namespaces share it.",
    )
    lease_seconds: int = Field(
        default=3,
        ge=2,
        le=60,
        description="How long after its last renewal another operator takes over. It is renewed "
        "four times as often; an operator that cannot renew it for three quarters of that time "
        "stops working.",
    )
    workers: int = Field(
        default=16, ge=1, le=256, description="How many runs are worked on at the same time."
    )
    write_qps: float = Field(
        default=50, gt=0, description="Writes to the API server per second, over time."
    )
    write_burst: int = Field(
        default=100, ge=1, description="Writes that may be sent at once after an idle time."
    )
    resync_seconds: float = Field(
        default=300, ge=5, description="Seconds between complete lists of everything."
    )
    sweep_seconds: float = Field(
        default=600, ge=5, description="Seconds between searches for Jobs that no run names."
    )
    suspend_new_runs: bool = Field(
        default=False,
        description="true: no new run is accepted. New runs wait; accepted ones continue.",
    )
    archive_before_deletion: bool = Field(
        default=False,
        description="true: neither a TTL nor the history limit of a schedule deletes a run before "
        "the archive has it (condition Archived).",
    )
    approvals_policy: str = Field(
        default="",
        description="Name of the ValidatingAdmissionPolicy on Approvals and of its binding. Empty: "
        "none is installed, and no answer is verified.",
    )
    approvals_strict: bool = Field(
        default=False,
        description="true: an answer that is not verified does not count, and nothing is asked "
        "while the policy is missing.",
    )
    job_ttl_seconds: int = Field(
        default=86400,
        ge=3600,
        description="How long a finished Job is kept, in seconds. Its name keeps "
        "a finished attempt from being started again: keep Jobs longer than any outage.",
    )
    node_lost_seconds: float = Field(
        default=300,
        ge=0,
        description="How long a machine may be not ready, in seconds, before attempts on it fail "
        "(NodeLost). 0: without limit.",
    )
    image_pull_policy: Literal["Always", "IfNotPresent", "Never"] = Field(
        default="IfNotPresent", description="Pull policy of the runner image."
    )
    keep_logs: KeepLogs = Field(
        default="All", description="Which logs of pods are kept, where the run does not say it."
    )
    log_bytes: int = Field(
        default=256 * 1024,
        ge=0,
        le=1024 * 1024,
        description="Maximum bytes that are kept of one log. 0: no log is kept.",
    )
    node_requests: TextList = Field(
        default=("cpu=50m", "memory=64Mi"),
        description="Resource requests of nodes that state none, as name=quantity,...",
    )
    queue: str = Field(
        default="", description="LocalQueue of Kueue for nodes that name none. Empty: no queue."
    )
    node_limits: TextList = Field(
        default=("cpu=1", "memory=512Mi", "ephemeral-storage=1Gi"),
        description="Resource limits of nodes that state none, as name=quantity,...",
    )
    namespace_policies: tuple[NamespacePolicy, ...] = Field(
        default=(),
        description="What the platform lets runs use, by labels of their namespace, as JSON. The "
        "first entry that matches counts.",
    )
    otlp_endpoint: str = Field(
        default="",
        validation_alias="OTEL_EXPORTER_OTLP_ENDPOINT",
        description="Base URL of an OTLP/HTTP collector for traces. Empty: no traces.",
    )
    trace_content: ContentPolicy = Field(
        default="Off",
        description="What traces of agents have of the arguments and results of tool calls: Off, "
        "Digests, or Redacted (texts without secrets and without what schemas mark).",
    )
    otlp_conventions: VersionName = Field(
        default="1.41", description="Version of the OpenTelemetry semantic conventions of spans."
    )

    _networks = field_validator("private_hosts", "cluster_ranges", "dns_addresses")(only_networks)

    @field_validator(
        "node_requests", "node_limits", "gateway_labels", "models_labels", mode="before"
    )
    @classmethod
    def _pairs(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        parts = tuple(part.strip() for part in value.split(",") if part.strip())
        bad = [part for part in parts if not all(part.partition("="))]
        if bad:
            raise ValueError(f"{bad[0]!r} is not name=quantity")
        return parts

    @field_validator("otlp_endpoint", "gateway_url", "models_url")
    @classmethod
    def _url(cls, value: str) -> str:
        if value and not value.startswith(("http://", "https://")):
            raise ValueError("must start with http:// or https://")
        return value

    @model_validator(mode="after")
    def _trusted(self) -> Self:
        encrypted = any(url.startswith("https://") for url in (self.gateway_url, self.models_url))
        if encrypted and self.tls_ca is None:
            raise ValueError("WAYPOST_TLS_CA is needed: the URL of a gateway begins with https://")
        return self


def quantities(pairs: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """Split pairs: ("cpu=50m", ...) becomes (("cpu", "50m"), ...)."""
    parts = [pair.partition("=") for pair in pairs]
    return tuple((name.strip(), quantity.strip()) for name, _, quantity in parts)


def networks(texts: tuple[str, ...]) -> tuple[Network, ...]:
    """The networks of a setting, which its validation has accepted."""
    return tuple(found for text in texts if (found := network_of(text)) is not None)


def load_settings() -> Settings:
    """Read the settings of `run`. Raises SettingsError."""
    try:
        return Settings()  # type: ignore[call-arg]  # from the environment
    except ValidationError as error:
        raise explained(error) from error


def load_cleanup_settings() -> CleanupSettings:
    """Read the settings of `waypost uninstall`. Raises SettingsError."""
    try:
        return CleanupSettings()
    except ValidationError as error:
        raise explained(error) from error


def explained(error: ValidationError) -> SettingsError:
    """A validation error of settings, as one line for people."""
    return SettingsError("; ".join(_explain(detail) for detail in error.errors()))


def _explain(detail: object) -> str:
    """`WAYPOST_WORKERS: expected ... (found '0')`."""
    assert isinstance(detail, dict)
    if not detail["loc"]:  # of several settings
        return words.words_of(detail)
    field = str(detail["loc"][0])
    name = field if field.isupper() else f"{PREFIX}{field}".upper()
    if detail["type"] == "missing":
        return f"{name}: is not set"
    message = words.words_of(detail)
    return f"{name}: {message} (found {detail['input']!r})"
