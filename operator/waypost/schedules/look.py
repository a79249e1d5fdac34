"""What a step needs from live reads, and what they found."""

from dataclasses import dataclass

from waypost.schedules.subject import ScheduledRun


@dataclass(frozen=True)
class Needs:
    """The live reads of a step.

    Attributes:
        named: Name of the run that is starting; "" for no read.
        runs: Whether the runs with the label of the schedule are listed.
        template: Name of the template; "" for no read.
    """

    named: str = ""
    runs: bool = False
    template: str = ""


@dataclass(frozen=True)
class Named:
    """The run with the name of the one that is starting.

    Attributes:
        exists: Whether there is one.
        ours: It has the label of the schedule.
    """

    exists: bool
    ours: bool = True


@dataclass(frozen=True)
class Look:
    """The results of the live reads; None for what was not read.

    Attributes:
        named: The run that is starting.
        runs: All runs with the label of the schedule.
        refusal: Reason and message, if a run would not be accepted now.
        template_read: Whether `refusal` is known.
        create_refused: Why the API server refused the last create; "" if it did not.
    """

    named: Named | None = None
    runs: tuple[ScheduledRun, ...] | None = None
    refusal: tuple[str, str] | None = None
    template_read: bool = False
    create_refused: str = ""
