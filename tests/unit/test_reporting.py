"""A service tells the log of its start until it is taken, and of its end once; a log that is down holds nobody up."""

from __future__ import annotations

import asyncio
import time

from borderpost.runtime.clock import SystemClock
from borderpost.runtime.errors import UnavailableError
from borderpost.runtime.reporting import Report, Reporter
from borderpost.v1.decisions_pb2 import Versions


class Log:
    """Takes events; is down for the first `failures` of them."""

    def __init__(self, failures=0, hangs=False):
        self.failures = failures
        self.hangs = hangs
        self.offered = []
        self.taken = []

    async def deliver(self, events):
        self.offered += events
        if self.hangs:
            await asyncio.sleep(60)
        if len(self.offered) <= self.failures:
            raise UnavailableError("told to fail")
        self.taken += events


def reporter(log):
    report = Report(log.deliver, lambda: Versions(model_id="m", calibration_id="c"))
    return Reporter("faces", "borderpost.test", report, SystemClock(), pause=0.01)


async def test_a_start_is_told_until_the_log_takes_it_as_one_and_the_same_event():
    log = Log(failures=3)
    await reporter(log).started()
    assert len({event.event_id for event in log.offered}) == 1
    (event,) = log.taken
    assert event.service_started.service == event.actor.subject == "faces"
    assert (event.versions.model_id, event.versions.calibration_id) == ("m", "c")
    assert event.versions.software.startswith("borderpost ")


async def test_an_end_is_told_once_and_a_log_that_is_down_is_let_be():
    log = Log(failures=1)
    await reporter(log).stopped()
    assert len(log.offered) == 1
    log = Log()
    await reporter(log).stopped()
    assert [event.service_stopped.service for event in log.taken] == ["faces"]


async def test_an_end_waits_for_a_log_that_hangs_no_longer_than_a_second():
    started = time.monotonic()
    await reporter(Log(hangs=True)).stopped()
    assert time.monotonic() - started < 5
