"""What is wrong with a spec, in the words of its author."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """One defect of a spec: where it is (`nodes.draft.when`), and what is wrong with it."""

    field: str
    message: str

    def __str__(self) -> str:
        return f"{self.field}: {self.message}"
