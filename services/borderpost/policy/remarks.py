"""What a policy may say, and yet may not be meant."""

from __future__ import annotations

from typing import Final

from borderpost.policy.model import Policy

NO_COVER: Final = (
    "sample: no rule sends travelers to an officer without a reason of its own, so officers can tell that a traveler "
    "whom they see as OFFICER_CHECK was drawn at random"
)


def remarks(policy: Policy) -> list[str]:
    """Return what whoever wrote the policy should know, for people."""
    covered = any(rule.officer and rule.reason is None for rule in policy.rules)
    return [] if covered or not policy.sample.share else [NO_COVER]
