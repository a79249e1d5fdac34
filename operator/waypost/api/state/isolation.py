"""What became of the isolation of the attempts of a run: `status.isolation`."""

from typing import Annotated, Final, Literal, get_args

from pydantic import Field

from waypost.api.base import StatusModel, keyed_by

# Egress: isolation.egress. UserNamespace: hostUsers. Restricted: not root, no capabilities, no
# privilege escalation, read-only root.
Control = Literal["Egress", "UserNamespace", "RuntimeClass", "Seccomp", "Restricted"]
CONTROLS: Final[tuple[Control, ...]] = get_args(Control)
# Verified: a probe in the pod has measured it. Applied: the pod declares it. Unavailable: it was
# wanted, and the pod does not have it. Off: it was not wanted.
State = Literal["verified", "applied", "unavailable", "off"]
STATES: Final[tuple[State, ...]] = get_args(State)


class ControlStatus(StatusModel):
    """In how many attempts a control of isolation held."""

    control: Control = Field(description="The control.")
    verified: int | None = Field(default=None, ge=0, description="Measured by its probe.")
    applied: int | None = Field(default=None, ge=0, description="In the pod, not measured.")
    unavailable: int | None = Field(default=None, ge=0, description="Wanted, and did not hold.")
    off: int | None = Field(default=None, ge=0, description="Not wanted.")
    message: str | None = Field(
        default=None, max_length=256, description="Latest case of unavailable."
    )


IsolationStatus = Annotated[
    list[ControlStatus] | None,
    Field(
        max_length=len(CONTROLS),
        description="Counts of attempts whose program started, or was refused by the probe.",
        json_schema_extra=keyed_by("control"),
    ),
]
