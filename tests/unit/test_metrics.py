"""Numbers: labels out of closed sets alone, none of an old look, on a port that is no way in."""

from __future__ import annotations

import ast
import asyncio
import socket
import struct
import threading
import time
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

import borderpost
from borderpost.gateway import looking
from borderpost.gateway.measuring import ScreeningNumbers
from borderpost.runtime import metrics
from borderpost.runtime.errors import UnavailableError
from borderpost.runtime.metric_table import (
    CALLS,
    LOG_EVENTS,
    METRICS,
    MOST_CROSSINGS,
    OTHER,
    READINGS_FAILED,
    SCREENING_REASONS,
    SCREENINGS,
    SETS,
    STEP_SECONDS,
    STEPS,
    STEPS_SKIPPED,
    closed,
)
from borderpost.runtime.metrics import Numbers, Reading
from borderpost.runtime.own_numbers import begin_at_zero
from borderpost.runtime.settings import SERVICES, Settings
from borderpost.runtime.watching import Watched
from borderpost.v1 import decisions_pb2, types_pb2

LABELS = sorted({label for metric in METRICS for label in metric.labels})


def shown(numbers):
    text = generate_latest(numbers.registry).decode()
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@pytest.mark.parametrize("label", sorted(set(LABELS) - {"version", "crossing"}))
@given(text=st.text(min_size=1).filter(lambda text: not text.isupper()))
def test_what_is_in_no_closed_set_is_counted_as_other(label, text):
    assert closed(label, text) == OTHER or text in SETS[label]


@given(text=st.text(min_size=1))
def test_a_version_or_a_crossing_is_taken_in_its_form_alone(text):
    for label in ("version", "crossing"):
        value = closed(label, text)
        assert value == OTHER or (value == text and text.isascii() and len(text) <= 120)


def test_every_label_has_a_closed_set_or_a_form():
    assert [
        label for label in LABELS if label not in SETS and label not in {"reason", "version", "crossing"}
    ] == []


@pytest.mark.parametrize("reason", ["NO_MRZ", "OVERLOADED", "DEADLINE_EXCEEDED", ""])
def test_reasons_of_ours_and_of_grpc_are_counted_by_name(reason):
    assert closed("reason", reason) == reason


def test_a_reason_that_another_service_made_up_is_other():
    numbers = Numbers()
    numbers.count(CALLS, "borderpost.v1.FacesService", "Compare", "INTERNAL", "CANARYNAME_ANNA")
    text = generate_latest(numbers.registry).decode()
    assert "CANARY" not in text
    assert 'reason="OTHER"' in text


def test_crossings_are_counted_one_by_one_up_to_a_hundred_and_then_together():
    numbers = Numbers()
    for crossing in (*range(MOST_CROSSINGS + 5), 0):
        numbers.count(SCREENINGS, "CLEAR", f"crossing-{crossing}", "ENTRY", "no")
    found = {dict(key[1:])["crossing"]: value for key, value in shown(numbers).items()}
    assert len(found) == MOST_CROSSINGS + 1
    assert (found["crossing-0"], found[OTHER]) == (2, 5)


def test_a_screening_is_counted_by_outcome_reasons_and_steps():
    numbers = Numbers()
    done, failed, skipped = (
        types_pb2.STEP_STATUS_DONE,
        types_pb2.STEP_STATUS_FAILED,
        types_pb2.STEP_STATUS_SKIPPED,
    )
    screening = decisions_pb2.TravelerScreened(
        outcome=types_pb2.OUTCOME_REFER,
        crossing="north",
        direction=types_pb2.DIRECTION_EXIT,
        reasons=["NO_MRZ", "Anna Canaryname"],
        steps=[
            types_pb2.Step(name="read_document", status=done, milliseconds=30),
            types_pb2.Step(name="live_template", status=failed, milliseconds=2500, reason="UNAVAILABLE"),
            types_pb2.Step(name="compare", status=skipped),
        ],
    )
    screening.inputs.late = True
    ScreeningNumbers(numbers).screened(screening)
    found = shown(numbers)
    where = (("crossing", "north"), ("direction", "EXIT"), ("late", "yes"), ("outcome", "REFER"))
    assert found[SCREENINGS.name, *where] == 1
    assert {dict(key[1:])["reason"] for key in found if key[0] == SCREENING_REASONS.name} == {"NO_MRZ", OTHER}
    count = f"{STEP_SECONDS.name}_count"
    assert found[count, ("status", "DONE"), ("step", "read_document")] == 1
    bucket = f"{STEP_SECONDS.name}_bucket"
    assert found[bucket, ("le", "2.0"), ("status", "FAILED"), ("step", "live_template")] == 0
    assert found[bucket, ("le", "3.0"), ("status", "FAILED"), ("step", "live_template")] == 1
    assert found[STEPS_SKIPPED.name, ("step", "compare")] == 1


def test_the_steps_of_the_table_are_those_of_the_gateway():
    tree = ast.parse(Path(looking.__file__).read_text("utf-8"))
    named = {
        node.args[0].value
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and getattr(node.func, "attr", "") in {"_step", "_skip", "_compare", "_portrait"}
        and node.args
        and isinstance(node.args[0], ast.Constant)
    }
    assert named == STEPS


def test_failures_that_alerts_look_for_are_shown_before_there_is_one():
    numbers = Numbers()
    ScreeningNumbers(numbers)
    begin_at_zero(numbers, ("borderpost.v1.GatewayService",))
    failures = {
        (dict(key[1:])["method"], dict(key[1:])["reason"])
        for key, value in shown(numbers).items()
        if key[0] == CALLS.name and value == 0
    }
    assert failures >= {
        ("ScreenTraveler", "DECISION_LOG_UNAVAILABLE"),
        ("ScreenTraveler", "OVERLOADED"),
        ("ScreenTraveler", "INTERNAL"),
        ("EnrolEntry", "INTERNAL"),
    }


def test_names_follow_what_prometheus_wants_and_each_is_there_once():
    assert len({metric.name for metric in METRICS}) == len(METRICS)
    for metric in METRICS:
        assert metric.name.startswith("borderpost_")
        assert metric.name.endswith("_total") == (metric.kind == "counter")


def test_a_call_is_counted_once_with_its_time_and_is_no_longer_in_flight():
    numbers = Numbers()
    watched = Watched("/borderpost.v1.FacesService/Compare", numbers)
    assert shown(numbers)["borderpost_calls_in_flight",] == 1
    assert watched.ended("OK") >= 0
    found = shown(numbers)
    assert found["borderpost_calls_in_flight",] == 0
    what = (("method", "Compare"), ("reason", ""), ("service", "borderpost.v1.FacesService"))
    assert found[CALLS.name, ("code", "OK"), *what] == 1
    assert found["borderpost_call_seconds_count", what[0], ("ok", "yes"), what[2]] == 1


async def until(seen):
    for _ in range(5000):
        if seen():
            return
        await asyncio.sleep(0.001)
    pytest.fail("it was never seen")


async def test_numbers_that_cannot_be_looked_up_any_more_are_not_shown_and_that_is_counted():
    numbers, down = Numbers(), []

    def read():
        if down:
            raise UnavailableError("told to be down")
        return [(LOG_EVENTS, (), 7)]

    task = asyncio.create_task(numbers.follow(Reading((LOG_EVENTS,), read, every=0.001)))
    await until(lambda: shown(numbers).get((LOG_EVENTS.name,)) == 7)
    down.append(True)
    await until(lambda: shown(numbers)[READINGS_FAILED.name,] > 0)
    await until(lambda: (LOG_EVENTS.name,) not in shown(numbers))
    down.clear()
    await until(lambda: shown(numbers).get((LOG_EVENTS.name,)) == 7)  # it doesn't give up
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


def test_the_port_answers_with_numbers_whatever_is_asked_and_then_ends():
    numbers = Numbers()
    numbers.count(CALLS, "borderpost.v1.FacesService", "Compare", "OK", "")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    end = metrics.show(numbers, f"127.0.0.1:{port}")
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            text = answer.read().decode()
    finally:
        end()
    assert 'borderpost_calls_total{code="OK"' in text
    assert "process_cpu_seconds_total" in text
    assert "_created" not in text
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5)


def test_a_connection_that_breaks_off_is_not_told_where_the_log_is(capfd):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    end = metrics.show(Numbers(), f"127.0.0.1:{port}")
    before = threading.active_count()
    for _ in range(5):
        connection = socket.create_connection(("127.0.0.1", port), timeout=5)
        connection.send(b"GET /met")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()  # as a reset, in the middle of the line
    urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5).close()
    while threading.active_count() > before:
        time.sleep(0.01)
    end()
    assert capfd.readouterr().err == ""


def test_a_port_that_another_program_has_stops_nothing():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        metrics.show(Numbers(), f"127.0.0.1:{taken.getsockname()[1]}")()


def test_every_service_shows_its_numbers_on_this_machine_alone_each_on_its_own_port():
    shown = [Settings().service(name).metrics for name in SERVICES]
    addresses = [at for at in shown if at != "off"]
    assert len(set(addresses)) == len(addresses) >= 5
    assert {address.rpartition(":")[0] for address in addresses} == {"127.0.0.1"}


def test_prometheus_and_opentelemetry_are_used_in_the_runtime_alone():
    root = Path(borderpost.__file__).parent
    users = {
        path.relative_to(root).as_posix()
        for path in root.rglob("*.py")
        for line in path.read_text("utf-8").splitlines()
        if line.startswith(
            ("import prometheus_client", "from prometheus_client", "from opentelemetry", "import opent")
        )
    }
    assert users == {
        "runtime/metrics.py",
        "runtime/spans.py",
        "runtime/tracing.py",
        "runtime/watching.py",
    }
