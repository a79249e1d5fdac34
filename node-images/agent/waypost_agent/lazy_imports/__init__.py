"""Imports of libraries that are made when they are used: what PEP 810 brings to Python 3.15.

The providers' libraries re-export hundreds of modules, one for each type of their API, and a
conversation needs a tenth of them. The library of MCP brings a server, for tests of clients.
Importing the others would be a third of an agent's start.
"""

import sys
from collections.abc import Mapping, Sequence
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import ModuleType
from typing import Final

from waypost_agent.lazy_imports.late import DeferredLoader, LateLoader
from waypost_agent.lazy_imports.packages import PackageLoader

PACKAGES: Final = ("openai.types", "anthropic", "mcp")
# Its __init__ makes classes of what it imports.
WHOLE: Final = ("anthropic.lib.streaming",)
_CLOUDS: Final = tuple(
    f"AsyncAnthropic{cloud}" for cloud in ("AWS", "Bedrock", "BedrockMantle", "Foundry", "Vertex")
)
_BETA: Final = "anthropic.resources.beta"
# Resources of an API that no conversation uses; messages and models are the others.
_RESOURCES: Final = (
    *("agents.agents", "deployment_runs", "deployments", "dreams", "files"),
    *("environments.environments", "tunnels.tunnels"),
    *("memory_stores.memory_stores", "organization.organization", "sessions.sessions"),
    *("skills.skills", "user_profiles", "vaults.vaults", "webhooks"),
)
ALL: Final = ("*",)
# What modules import and an agent does not use: clients for servers in the same process or in
# clouds, and the errors of single products. By the module, and by the module that it imports from.
LATE: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
    "anthropic._base_client": {"anthropic._error_classes": ("make_status_error",)},
    f"{_BETA}.beta": {f"{_BETA}.{each}": ALL for each in _RESOURCES},
    "mcp.client._memory": {"mcp.server": ("Server",), "mcp.server.mcpserver": ("MCPServer",)},
    "mcp.client.client": {
        "mcp.server": ("Server",),
        "mcp.server.mcpserver": ("MCPServer",),
        "mcp.server.runner": ("modern_on_request",),
    },
    "pydantic_ai.models.anthropic": {"anthropic": _CLOUDS},
    "pydantic_ai.providers.anthropic": {"anthropic": _CLOUDS},
}
# Their pydantic models are built when they are used: of hundreds, a conversation uses a few.
DEFERRED: Final = ("google.genai.types", "mcp_types")


def install() -> None:
    """From now on PACKAGES, and the packages in them, import their parts when they are used; so do
    the modules of LATE, and those of DEFERRED build their models then."""
    if not any(isinstance(each, _Finder) for each in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


class _Finder:
    # No importlib.abc.MetaPathFinder: that brings 37 modules.
    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """What the import system asks for a module that is not loaded yet."""
        lazy = _within(name, PACKAGES) and not _within(name, WHOLE)
        if not (lazy or name in LATE or _within(name, DEFERRED)):
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is None or not isinstance(spec.loader, SourceFileLoader):
            return spec
        if name in LATE:
            spec.loader = LateLoader(name, spec.loader.path, LATE[name])
        elif not lazy:
            spec.loader = DeferredLoader(name, spec.loader.path)
        elif spec.submodule_search_locations is not None:
            spec.loader = PackageLoader(name, spec.loader.path)
        return spec


def _within(name: str, packages: Sequence[str]) -> bool:
    return any(f"{name}.".startswith(f"{package}.") for package in packages)
