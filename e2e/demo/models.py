"""Who drafts in the demo: a real provider, if the environment has a key for one, else the scripted
model server. Pure: manifests out, nothing is sent.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Manifest = dict[str, Any]

PROVIDER = "default"  # the ModelProvider that the workflow names
SECRET = "model-key"
SERVER = "scripted-models"
FORCED = "WAYPOST_DEMO_MODEL"
SCRIPTED = "scripted"
_PORT = 8089


@dataclass(frozen=True, slots=True)
class Vendor:
    """One provider: where its key and its address are found in the environment."""

    type: str
    keys: tuple[str, ...]
    url: str
    model: str
    price: tuple[str, str]  # dollars per million tokens, in and out


VENDORS = (
    Vendor("OpenAI", ("OPENAI_API_KEY",), "OPENAI_BASE_URL", "gpt-5-mini", ("0.25", "2.00")),
    Vendor(
        "Anthropic",
        ("ANTHROPIC_API_KEY",),
        "ANTHROPIC_BASE_URL",
        "claude-haiku-4-5",
        ("1.00", "5.00"),
    ),
    Vendor(
        "Google",
        ("GOOGLE_API_KEY", "GEMINI_API_KEY"),
        "GOOGLE_GEMINI_BASE_URL",
        "gemini-2.5-flash",
        ("0.30", "2.50"),
    ),
)


@dataclass(frozen=True, slots=True)
class Choice:
    """Who drafts. `key_name` is the variable the key came from; the key itself is in no repr.
    `manifests` come before the ModelProvider, which needs the address of a scripted server."""

    model: str
    said: str
    manifests: tuple[Manifest, ...]
    spec: Manifest
    scripted: bool
    key_name: str = ""

    def provider(self, *, address: str = "") -> Manifest:
        """The ModelProvider; `address` is the cluster IP of the scripted server. An address and no
        name: not every cluster has a DNS."""
        host = f"[{address}]" if ":" in address else address
        url = {"baseURL": f"http://{host}/v1"} if self.scripted else {}
        return {
            "apiVersion": "waypost.dev/v1alpha1",
            "kind": "ModelProvider",
            "metadata": {"name": PROVIDER},
            "spec": {**self.spec, **url},
        }

    def __repr__(self) -> str:
        return f"Choice(model={self.model!r}, key_name={self.key_name!r})"


def choose(environ: Mapping[str, str], *, operator_image: str, script: str) -> Choice:
    """A real provider for the first key in the environment, unless WAYPOST_DEMO_MODEL=scripted;
    any other value of that is the model to ask."""
    wanted = environ.get(FORCED, "")
    if wanted != SCRIPTED:
        for vendor in VENDORS:
            name = next((name for name in vendor.keys if environ.get(name)), "")
            if name:
                return _real(vendor, environ, key_name=name, model=wanted or vendor.model)
    said = (
        "no key of a model provider in the environment"
        if wanted != SCRIPTED
        else f"{FORCED}={SCRIPTED}"
    )
    return Choice(
        model="gpt-5-mini",
        said=f"{said}: the answers come from a script, no model is behind them",
        manifests=_scripted(operator_image, script),
        spec={"type": "OpenAI"},
        scripted=True,
    )


def with_model(manifest: str, model: str) -> str:
    """The workflow with this model instead of the one it names."""
    pattern = rf"(model: \{{provider: {PROVIDER}, name: )[^}}]+\}}"
    filled, found = re.subn(pattern, lambda match: f"{match[1]}{model}}}", manifest)
    if not found:
        raise ValueError(f"the workflow names no model of provider {PROVIDER}")
    return filled


def _real(vendor: Vendor, environ: Mapping[str, str], *, key_name: str, model: str) -> Choice:
    key = base64.b64encode(environ[key_name].encode()).decode()
    spec: Manifest = {"type": vendor.type, "apiKey": {"name": SECRET, "key": "key"}}
    if environ.get(vendor.url):
        spec["baseURL"] = environ[vendor.url].rstrip("/")
    if model == vendor.model:
        price = {"input": vendor.price[0], "output": vendor.price[1]}
        spec["models"] = [{"name": model, "price": price}]
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": SECRET},
        "data": {"key": key},
    }
    return Choice(
        model=model,
        said=f"{key_name} is set: {vendor.type} is asked, model {model}; that costs some cents",
        manifests=(secret,),
        spec=spec,
        scripted=False,
        key_name=key_name,
    )


def _scripted(image: str, script: str) -> tuple[Manifest, ...]:
    labels = {"app": SERVER}
    container = {
        "name": "server",
        "image": image,
        "args": ["dev", "model-server", "--script=/script/script.yaml", "--host=0.0.0.0"],
        "ports": [{"containerPort": _PORT}],
        "readinessProbe": {"httpGet": {"path": "/healthz", "port": _PORT}, "periodSeconds": 1},
        "volumeMounts": [{"name": "script", "mountPath": "/script"}],
    }
    volume = {"name": "script", "configMap": {"name": SERVER}}
    digest = hashlib.sha256(script.encode()).hexdigest()  # another script, another pod
    return (
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": SERVER},
            "data": {"script.yaml": script},
        },
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": SERVER},
            "spec": {
                "selector": {"matchLabels": labels},
                # A pod of before would answer from the old script meanwhile.
                "strategy": {"type": "Recreate"},
                "template": {
                    "metadata": {"labels": labels, "annotations": {"checksum/script": digest}},
                    "spec": {"containers": [container], "volumes": [volume]},
                },
            },
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": SERVER},
            "spec": {"selector": labels, "ports": [{"port": 80, "targetPort": _PORT}]},
        },
    )
