"""What an image build needs from this machine and must not keep: proxies, CA bundle, registries.

Passed as build arguments or as files mounted during the build, never written into an image.
"""

from __future__ import annotations

import configparser
import io
import json
from collections.abc import Mapping
from pathlib import Path

PASSED_ON = (
    "BASE_IMAGE",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "PIP_INDEX_URL",
    "PIP_EXTRA_INDEX_URL",
    "PIP_TRUSTED_HOST",
    "UV_INDEX_URL",
    "UV_DEFAULT_INDEX",
    "UV_INDEX",
    "NPM_CONFIG_REGISTRY",
)
_PIP_OPTIONS = {
    "PIP_INDEX_URL": "index-url",
    "PIP_EXTRA_INDEX_URL": "extra-index-url",
    "PIP_TRUSTED_HOST": "trusted-host",
    "PIP_DEFAULT_TIMEOUT": "timeout",
}
_BUNDLES = ("SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
# A mount point stays in the image as an empty folder: its name must tell nothing.
_LINKS = "/mnt/wheels-"
CERTIFICATES = Path("/etc/ssl/certs")
BUNDLE = CERTIFICATES / "ca-certificates.crt"


def arguments(environment: Mapping[str, str], parents: Mapping[str, str]) -> list[str]:
    """Build arguments for what is set here, and for the images that this one stands on; a
    Dockerfile uses those it declares with ARG."""
    given = [(name, environment[name]) for name in PASSED_ON if environment.get(name)]
    given += parents.items()
    return [part for name, value in given for part in ("--build-arg", f"{name}={value}")]


def mounts(environment: Mapping[str, str], folder: Path) -> list[str]:
    """Volume options that lend the machine's CA bundle and index settings to the build."""
    folder.mkdir(parents=True, exist_ok=True)
    shared = [(CERTIFICATES, CERTIFICATES)] if CERTIFICATES.is_dir() else []
    bundle = _named_bundle(environment)
    if bundle is not None and bundle.parent != CERTIFICATES:
        shared.append((bundle, BUNDLE))
    links = {path: f"{_LINKS}{number}" for number, path in enumerate(_local_links(environment))}
    pip, uv = _write_settings(environment, folder, links)
    shared += [(pip, Path("/etc/pip.conf")), (uv, Path("/etc/uv/uv.toml"))]
    npmrc = _npm_settings(environment)
    shared += [(npmrc, Path("/etc/npmrc"))] if npmrc is not None else []
    shared += [(path, Path(inside)) for path, inside in links.items()]
    return [part for here, there in shared for part in ("--volume", f"{here}:{there}:ro")]


def secrets(environment: Mapping[str, str], folder: Path) -> list[str]:
    """The same for Docker, which mounts no folders during a build: options that lend files as
    secrets. A Dockerfile mounts those it names with `RUN --mount=type=secret`; without this option
    such a mount is nothing."""
    folder.mkdir(parents=True, exist_ok=True)
    pip, uv = _write_settings(environment, folder, {})
    lent = {"pip.conf": pip, "uv.toml": uv}
    bundle = _named_bundle(environment) or BUNDLE
    if bundle.is_file():
        lent["ca-bundle"] = bundle
    npmrc = _npm_settings(environment)
    if npmrc is not None:
        lent["npmrc"] = npmrc
    return [part for name, path in lent.items() for part in ("--secret", f"id={name},src={path}")]


def _named_bundle(environment: Mapping[str, str]) -> Path | None:
    """The CA bundle that the environment names, if it is there."""
    named = next((Path(environment[name]) for name in _BUNDLES if environment.get(name)), None)
    return named if named is not None and named.is_file() else None


def _npm_settings(environment: Mapping[str, str]) -> Path | None:
    """The user's settings of npm, if there are any: a registry may want its own."""
    home = environment.get("HOME")
    named = environment.get("NPM_CONFIG_USERCONFIG") or (home and f"{home}/.npmrc")
    return Path(named) if named and Path(named).is_file() else None


def _write_settings(
    environment: Mapping[str, str], folder: Path, links: Mapping[Path, str]
) -> tuple[Path, Path]:
    pip, uv = folder / "pip.conf", folder / "uv.toml"
    pip.write_text(pip_configuration(environment, links))
    uv.write_text(uv_configuration(environment))
    return pip, uv


def pip_configuration(environment: Mapping[str, str], links: Mapping[Path, str]) -> str:
    """A pip.conf with this machine's settings, the mounted CA bundle and wheel folders."""
    parser = configparser.RawConfigParser()
    values = {"disable-pip-version-check": "true", "cert": str(BUNDLE)}
    for variable, option in _PIP_OPTIONS.items():
        if environment.get(variable):
            values[option] = environment[variable]
    if links:
        values["find-links"] = " ".join(links.values())
    parser["global"] = values
    stream = io.StringIO()
    parser.write(stream)
    return stream.getvalue()


def uv_configuration(environment: Mapping[str, str]) -> str:
    """A uv.toml with the same meaning: the system's certificates, this machine's index."""
    index = environment.get("UV_DEFAULT_INDEX") or environment.get("UV_INDEX_URL")
    lines = ["native-tls = true"]
    if index:
        lines += ["[[index]]", f"url = {json.dumps(index)}", "default = true"]
    return "\n".join(lines) + "\n"


def _local_links(environment: Mapping[str, str]) -> list[Path]:
    listed = environment.get("PIP_FIND_LINKS", "").split()
    return [Path(entry) for entry in listed if entry.startswith("/") and Path(entry).is_dir()]
