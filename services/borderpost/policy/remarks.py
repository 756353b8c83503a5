"""What a policy may say, and yet may not be meant."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from borderpost.policy.model import Policy
from borderpost.runtime.calibration import Calibration

NO_COVER: Final = (
    "sample: no rule sends travelers to an officer without a reason of its own, so officers can tell that a traveler "
    "whom they see as OFFICER_CHECK was drawn at random"
)


TOO_SMALL: Final = (
    "patterns.gallery.fmr: no calibration here can show so small a rate, so nobody is found; "
    "the smallest is {smallest:g}"
)


def remarks(policy: Policy, calibrations: Iterable[Calibration]) -> list[str]:
    """Return what whoever wrote the policy should know, for people. `calibrations`: those of the models in use."""
    return [*_of_sample(policy), *_of_gallery(policy, calibrations)]


def _of_sample(policy: Policy) -> list[str]:
    covered = any(rule.officer and rule.reason is None for rule in policy.rules)
    return [] if covered or not policy.sample.share else [NO_COVER]


def _of_gallery(policy: Policy, calibrations: Iterable[Calibration]) -> list[str]:
    gallery = policy.patterns.gallery if policy.patterns else None
    smallest = min((calibration.rows[-1].fmr for calibration in calibrations), default=0.0)
    return [] if gallery is None or gallery.fmr >= smallest else [TOO_SMALL.format(smallest=smallest)]
