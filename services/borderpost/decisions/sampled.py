"""Random samples as officers see them: like anybody whom an officer is to look at.

An officer who knew that nothing speaks against a traveler would look otherwise, and what is missed couldn't be counted.
Supervisors and auditors see what it is.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from borderpost.runtime.calls import Call, Role
from borderpost.v1.cases_pb2 import Case
from borderpost.v1.decisions_pb2 import LogEntry

RANDOM_SAMPLE: Final = "RANDOM_SAMPLE"
SHOWN_AS: Final = "OFFICER_CHECK"

_SEE_IT: Final = frozenset({Role.SUPERVISOR, Role.AUDITOR})


def for_officers(case: Case, call: Call) -> Case:
    """Change a case to what the caller may see of it; return it."""
    if not call.roles & _SEE_IT:
        case.reasons[:] = _shown(case.reasons)
    return case


def entry_for_officers(entry: LogEntry, call: Call) -> LogEntry:
    """Change a screening's entry to what the caller may see of it; return it."""
    if not call.roles & _SEE_IT:
        screening = entry.event.traveler_screened
        screening.reasons[:] = _shown(screening.reasons)
        screening.ClearField("sampled")
        if screening.HasField("inputs"):
            screening.inputs.ClearField("draw")
    return entry


def _shown(reasons: Iterable[str]) -> list[str]:
    return [SHOWN_AS if reason == RANDOM_SAMPLE else reason for reason in reasons]
