"""The gateway tells the decision log which policy it decides by, whole, before it decides anything."""

from __future__ import annotations

import asyncio

from borderpost.policy.model import PolicyVersion
from borderpost.runtime.calls import Actor
from borderpost.runtime.clock import Clock
from borderpost.runtime.reporting import Deliver, deliver_until_taken, new_report


class PolicyTold:
    """Tells it once; `taken` when the log has it. The log drops a policy that is already the one in force."""

    def __init__(self, policy: PolicyVersion, itself: Actor, deliver: Deliver, clock: Clock) -> None:
        self.taken = False
        self._deliver = deliver
        self._event = new_report(itself, clock)
        self._event.policy_changed.policy = policy.version
        self._event.policy_changed.toml = policy.toml

    async def run(self) -> None:
        """Tell it, then wait for the end: a task beside the server."""
        if not self.taken:
            await deliver_until_taken(self._deliver, self._event)
            self.taken = True
        await asyncio.Event().wait()
