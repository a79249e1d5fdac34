"""The identities of a pod: tokens that the API server does not accept, one for each gateway. Beside
them, whom the pod trusts when it calls one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from waypost.api import meta
from waypost.api.base import JsonObject
from waypost.protocol.gateways import trust

TOKEN_MOUNT: Final = "/waypost/token"
VOLUME: Final = "token"
_SECONDS: Final = 3600  # until a token expires; the kubelet renews it before


@dataclass(frozen=True)
class PodToken:
    """A token of a pod: who accepts it, and its file below TOKEN_MOUNT."""

    audience: str
    file: str

    @property
    def mounted(self) -> str:
        """The file as the pod's program opens it."""
        return f"{TOKEN_MOUNT}/{self.file}"


GATEWAY_TOKEN: Final = PodToken("waypost-gateway", "gateway")
MODELS_TOKEN: Final = PodToken("waypost-models", "models")


def token_volume(
    tokens: Sequence[PodToken], *, verifies: bool = False
) -> tuple[JsonObject, JsonObject] | None:
    """The projected volume with `tokens` and its mount; None if there are none.

    Args:
        tokens: The tokens.
        verifies: Whether the pod has the annotation with CA and names of the gateways.
    """
    if not tokens:
        return None
    sources: list[JsonObject] = [
        {
            "serviceAccountToken": {
                "audience": token.audience,
                "expirationSeconds": _SECONDS,
                "path": token.file,
            }
        }
        for token in tokens
    ]
    if verifies:
        field = {"fieldPath": f"metadata.annotations['{meta.ANNOTATION_TRUST}']"}
        sources.append({"downwardAPI": {"items": [{"path": trust.FILE, "fieldRef": field}]}})
    volume = {"name": VOLUME, "projected": {"defaultMode": 0o440, "sources": sources}}
    return volume, {"name": VOLUME, "mountPath": TOKEN_MOUNT, "readOnly": True}
