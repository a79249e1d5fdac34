"""What the operator says about a schedule: its times, and the runs that it would start."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from pydantic import ValidationError

from waypost.api.base import JsonObject
from waypost.api.schedule.model import AgentWorkflowScheduleSpec
from waypost.cli.lint.templates import Templates, run_problems
from waypost.compiler.problems import Problem
from waypost.compiler.validation_errors import problems_of
from waypost.protocol.ijson import Json
from waypost.schedules.cron import InvalidTiming
from waypost.schedules.due import clockwork
from waypost.schedules.manifest import run_spec

_SOME_TIME: Final = datetime(2026, 1, 1, tzinfo=UTC)


def schedule_problems(
    spec: Json, value: Mapping[str, Any], templates: Templates
) -> Iterator[Problem]:
    """The problems of a schedule.

    Args:
        spec: `spec`, as the API server would store it.
        value: The whole object of the file.
        templates: The templates of all files.
    """
    try:
        parsed = AgentWorkflowScheduleSpec.model_validate(spec)
    except ValidationError as error:
        yield from problems_of(error, AgentWorkflowScheduleSpec)
        return
    try:
        clockwork(parsed, namespace="", name="")
    except InvalidTiming as error:
        field, _, text = str(error).partition(": ")
        yield Problem(field, text)
    run: JsonObject = run_spec(parsed, _SOME_TIME)
    template = templates.of_run({**value, "spec": run})
    for problem in run_problems(run, template, templates.seen_by(value)):
        yield replace(problem, field=f"template.spec.{problem.field}")
