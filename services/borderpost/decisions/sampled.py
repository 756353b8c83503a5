"""Random samples as officers see them: like anybody whom a rule of the policy sends to an officer.

An officer who knew that nothing speaks against a traveler would look otherwise, and what is missed couldn't be counted.
Supervisors and auditors see what it is. How well it is hidden depends on how many others have the shown reason: see
docs/policy.md.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from borderpost.runtime.calls import Call, Role
from borderpost.v1.cases_pb2 import Case
from borderpost.v1.decisions_pb2 import LogEntry

RANDOM_SAMPLE: Final = "RANDOM_SAMPLE"
RULE_OFFICER: Final = "RULE_OFFICER"
"""Reasons that the policy gives by the draw alone, and by a rule that names none of its own."""

SHOWN_AS: Final = "OFFICER_CHECK"

_ALIKE: Final = frozenset({RANDOM_SAMPLE, RULE_OFFICER})
"""Reasons that officers don't see apart."""

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


def reasons_meant(reason: str, call: Call) -> frozenset[str]:
    """Return which recorded reasons the caller means by one: an officer can't ask for what they can't see."""
    if call.roles & _SEE_IT:
        return frozenset({reason})
    if reason == SHOWN_AS:
        return _ALIKE | {SHOWN_AS}
    return frozenset({reason}) - _ALIKE


def _shown(reasons: Iterable[str]) -> list[str]:
    return [SHOWN_AS if reason in _ALIKE else reason for reason in reasons]
