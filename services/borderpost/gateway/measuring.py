"""What the gateway counts: outcomes, their reasons, steps, and who is let in."""

from __future__ import annotations

from typing import Final

from borderpost.gateway.admission import Admission
from borderpost.gateway.errors import DecisionLogUnavailableError
from borderpost.runtime.errors import OverloadedError
from borderpost.runtime.metric_table import (
    ADMISSION_LIMIT,
    ADMISSION_RUNNING,
    ADMISSION_WAITING,
    CALLS,
    SCREENING_REASONS,
    SCREENINGS,
    STEP_SECONDS,
    STEPS_SKIPPED,
)
from borderpost.runtime.metrics import Numbers
from borderpost.v1 import decisions_pb2, types_pb2

SERVICE: Final = "borderpost.v1.GatewayService"


class ScreeningNumbers:
    """Counts screenings as they stand in the log: by the words of the protos, never by whom they are about."""

    def __init__(self, numbers: Numbers) -> None:
        self._numbers = numbers
        # What alerts look for is there before it happens: Prometheus sees no increase in what begins with it.
        for error in (DecisionLogUnavailableError, OverloadedError):
            numbers.count(CALLS, SERVICE, "ScreenTraveler", error.code.name, error.reason, by=0)

    def screened(self, screening: decisions_pb2.TravelerScreened) -> None:
        """Count a screening whose record is durable."""
        self._numbers.count(
            SCREENINGS,
            types_pb2.Outcome.Name(screening.outcome).removeprefix("OUTCOME_"),
            screening.crossing,
            types_pb2.Direction.Name(screening.direction).removeprefix("DIRECTION_"),
            "yes" if screening.inputs.late else "no",
        )
        for reason in screening.reasons:
            self._numbers.count(SCREENING_REASONS, reason)
        for step in screening.steps:
            self._step(step)

    def follow(self, admission: Admission) -> None:
        """Show who is let in."""
        self._numbers.live(ADMISSION_RUNNING, lambda: {(): admission.running})
        self._numbers.live(ADMISSION_WAITING, lambda: {(): admission.waiting})
        self._numbers.live(ADMISSION_LIMIT, lambda: {(): admission.limit.now})

    def _step(self, step: types_pb2.Step) -> None:
        if step.status == types_pb2.STEP_STATUS_SKIPPED:
            self._numbers.count(STEPS_SKIPPED, step.name)
        else:
            status = types_pb2.StepStatus.Name(step.status).removeprefix("STEP_STATUS_")
            self._numbers.observe(STEP_SECONDS, step.milliseconds / 1000, step.name, status)
