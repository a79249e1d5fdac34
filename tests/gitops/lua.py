"""Runs the scripts of Argo CD with a real Lua 5.1, the dialect of Argo CD's own interpreter.

Argo CD gives a script the global `obj` and takes what it returns. Without `useOpenLibs` a script
has the base functions, `table`, and `require("os")` with the time functions alone; so has a script
here.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import lupa.lua51 as lua  # type: ignore[import-untyped]

ROOT: Final = Path(__file__).parents[2]
SCRIPTS: Final = ROOT / "charts/waypost/files/argocd/resource_customizations/waypost.dev"
# Everything that Argo CD does not offer.
_SANDBOX: Final = """
local time = {date = os.date, time = os.time}
local allowed = {os = time}
function require(name)
  return allowed[name] or error("module " .. name .. " is not there")
end
os, io, debug, string, math, coroutine, package, python = nil, nil, nil, nil, nil, nil, nil, nil
"""

Obj = dict[str, Any]


def health(obj: Obj) -> dict[str, str]:
    """`status` and `message` of the health of an object."""
    found: dict[str, str] = run_script((SCRIPTS / obj["kind"] / "health.lua").read_text(), obj)
    return found


def actions(obj: Obj) -> dict[str, bool]:
    """By name of an action, whether it is offered now."""
    script = SCRIPTS / obj["kind"] / "actions" / "discovery.lua"
    if not script.exists():
        return {}
    found = run_script(script.read_text(), obj)
    return {name: not action["disabled"] for name, action in found.items()}


def act(obj: Obj, action: str) -> Obj:
    """The object as the action leaves it."""
    script = SCRIPTS / obj["kind"] / "actions" / action / "action.lua"
    found: Obj = run_script(script.read_text(), obj)
    return found


def run_script(script: str, obj: Mapping[str, Any]) -> Any:
    """What the script returns for the object, as JSON. Raises `lupa.LuaError` as Lua does."""
    runtime = lua.LuaRuntime(register_eval=False, register_builtins=False)
    runtime.execute(_SANDBOX)
    runtime.globals()["obj"] = _to_lua(runtime, obj)
    return _from_lua(runtime.execute(script), obj)


def _to_lua(runtime: Any, value: Any) -> Any:
    if isinstance(value, Mapping):
        return runtime.table_from({key: _to_lua(runtime, item) for key, item in value.items()})
    if isinstance(value, list):
        return runtime.table_from([_to_lua(runtime, item) for item in value])
    return value


def _from_lua(value: Any, before: Any) -> Any:
    """As JSON. An empty table is what stood at its place before: Lua has one type for both."""
    if lua.lua_type(value) != "table":
        return int(value) if isinstance(value, float) and value.is_integer() else value
    keys = list(value.keys())
    if not keys:
        return [] if isinstance(before, list) else {}
    if all(isinstance(key, int) for key in keys):
        inner = before if isinstance(before, list) else []
        return [
            _from_lua(value[number + 1], inner[number] if number < len(inner) else None)
            for number in range(len(keys))
        ]
    inside = before if isinstance(before, Mapping) else {}
    return {str(key): _from_lua(value[key], inside.get(key)) for key in keys}
