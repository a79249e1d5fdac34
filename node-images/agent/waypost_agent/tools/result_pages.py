"""Results of tools that are larger than a model may be given at once: cut, and read on by pages.

The whole of a result is kept in this pod's memory only. A later attempt has the part that the
model was given, and says so when it is asked for more.
"""

from typing import Any, Final

from pydantic_ai import RunContext
from pydantic_ai.exceptions import ToolFailed
from pydantic_ai.tools import ToolDefinition
from pydantic_ai.toolsets import AbstractToolset, ToolsetTool
from pydantic_core import SchemaValidator, core_schema

from waypost_agent.tools.tool_results import Content, as_text

NAME: Final = "read_tool_result"
# Arguments as they come; who answers a call judges them.
_ANY_OBJECT: Final = SchemaValidator(
    core_schema.dict_schema(core_schema.str_schema(), core_schema.any_schema())
)
_KEPT: Final = 64 * 1024 * 1024  # characters of all results that are kept whole
_DEFINITION: Final = ToolDefinition(
    name=NAME,
    description="Read on in a tool result that was cut, from a character on.",
    parameters_json_schema={
        "type": "object",
        "properties": {
            "id": {"type": "string", "description": "The id that the cut result names."},
            "offset": {"type": "integer", "minimum": 0, "description": "The first character."},
        },
        "required": ["id", "offset"],
        "additionalProperties": False,
    },
    metadata={"annotations": {"readOnlyHint": True}},
)


def offered(
    toolset: AbstractToolset[None], definition: ToolDefinition, ctx: RunContext[None]
) -> ToolsetTool[None]:
    """A tool that judges its arguments itself."""
    return ToolsetTool(
        toolset=toolset,
        tool_def=definition,
        max_retries=ctx.max_retries,
        args_validator=_ANY_OBJECT,
    )


class ResultPages(AbstractToolset[None]):
    """Cuts results, and offers the tool NAME once there is one that was cut."""

    def __init__(self, *, limit: int) -> None:
        """`limit`: bytes of a page."""
        self._limit = limit
        self._texts: dict[str, str] = {}
        self._offered = False

    @property
    def id(self) -> str:
        """The name of the toolset."""
        return "waypost-results"

    def bounded(self, content: Content, *, call_id: str, limit: int, keep: bool) -> Content:
        """The content, its value cut to `limit` bytes. `keep`: it can be read on in this attempt;
        a replayed result cannot."""
        text = as_text(content.value)
        if len(text.encode()) <= limit:
            return content
        self._offered = True
        if keep and len(text) + sum(map(len, self._texts.values())) <= _KEPT:
            self._texts[call_id] = text
        return content._replace(value=_page(text, 0, call_id=call_id, limit=limit), cut=True)

    def expect(self) -> None:
        """A replayed result was cut: the model knows of the tool."""
        self._offered = True

    async def get_tools(self, ctx: RunContext[None]) -> dict[str, ToolsetTool[None]]:
        """The tool, once there is something to read."""
        if not self._offered:
            return {}
        return {NAME: offered(self, _DEFINITION, ctx)}

    async def call_tool(
        self, name: str, tool_args: dict[str, Any], ctx: RunContext[None], tool: ToolsetTool[None]
    ) -> Content:
        """A page. Raises ToolFailed."""
        call_id, offset = tool_args.get("id"), tool_args.get("offset")
        if type(offset) is not int or offset < 0:
            raise ToolFailed(f"offset: expected an integer of at least 0, found {offset!r:.40}")
        text = self._texts.get(str(call_id))
        if text is None:
            raise ToolFailed(
                f"the result {call_id!s:.60} is not kept any more; call its tool again, and ask "
                "for less if the tool can do that"
            )
        if offset >= len(text):
            raise ToolFailed(f"offset: the result has {len(text)} characters, found {offset}")
        return Content(_page(text, offset, call_id=str(call_id), limit=self._limit))


def _page(text: str, offset: int, *, call_id: str, limit: int) -> str:
    """As much of `text` as fits into `limit` bytes, and where to read on."""
    part = text[offset : offset + limit].encode()[:limit].decode(errors="ignore")
    part = part or text[offset : offset + 1]
    end = offset + len(part)
    if end >= len(text):
        return part
    return (
        f"{part}\n[The result was cut: these are characters {offset} to {end} of {len(text)}. To "
        f'read on, call {NAME} with id "{call_id}" and offset {end}.]'
    )
