"""Ask components over HTTP whether they are ready."""

from __future__ import annotations

import http.client
import json
import ssl
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

from e2e.cluster.embedded import config
from e2e.cluster.errors import ClusterError
from e2e.cluster.settings import Settings

POLL_SECONDS = 0.1
ANSWER_SECONDS = 2.0


def answers(url: str) -> bool:
    """Whether a health endpoint says 200; who it is does not matter to this question."""
    context = ssl._create_unverified_context() if url.startswith("https:") else None
    return _get(url, context) is not None


def node_is_ready(settings: Settings, pki: Path) -> bool:
    """Whether the API answers with the node's Ready condition being true, and recently so."""
    try:
        context = ssl.create_default_context(cafile=str(pki / "ca.crt"))
        context.load_cert_chain(pki / "admin.crt", pki / "admin.key")
    except OSError:
        return False
    body = _get(f"{config.api_url(settings)}/api/v1/nodes/{config.node_name(settings)}", context)
    if body is None:
        return False
    conditions = json.loads(body).get("status", {}).get("conditions", [])
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def wait_for_node(settings: Settings, pki: Path, seconds: float) -> None:
    if not wait_until(lambda: node_is_ready(settings, pki), seconds):
        raise ClusterError(
            "get the node ready",
            found=f"not Ready after {seconds:.0f} s",
            do=f"read {settings.logs}/kubelet.log and containerd.log beside it",
        )


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    """Poll until true; false when the time is over."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() >= deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True


def _get(url: str, context: ssl.SSLContext | None) -> bytes | None:
    # A proxy of the environment has no business between this machine and its own node.
    handlers: list[urllib.request.BaseHandler] = [urllib.request.ProxyHandler({})]
    if context is not None:
        handlers.append(urllib.request.HTTPSHandler(context=context))
    try:
        with urllib.request.build_opener(*handlers).open(url, timeout=ANSWER_SECONDS) as answer:
            body: bytes = answer.read()
            return body
    except (OSError, http.client.HTTPException):
        return None
