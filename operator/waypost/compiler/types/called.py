"""What the templates of `workflow` nodes take and give, before their child runs start."""

from dataclasses import dataclass

from waypost.compiler.types.schemas import Linked, Unknown, closed
from waypost.protocol.ijson import Json


@dataclass(frozen=True)
class CalledTypes:
    """The types of one template.

    Attributes:
        template: How messages name it.
        takes: Its inputSchema, self-contained; None if it declares none.
        declared: Its outputSchema, self-contained; None if it declares none.
        outputs: The names of its outputs.
    """

    template: str
    takes: Json | None
    declared: Json | None
    outputs: tuple[str, ...]

    def gives(self, once: Linked) -> Json:
        """The schema of its outputs: as declared, else one with their names."""
        if self.declared is not None:
            return once.of(self.declared)
        names: dict[str, Json] = {key: Unknown() for key in self.outputs}
        return closed(names)
