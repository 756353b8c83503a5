"""Time and ids."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from borderpost.runtime.clock import SystemClock, from_timestamp, is_id, new_id, to_timestamp


def test_ids_are_uuidv7_and_later_ones_sort_after_earlier_ones() -> None:
    ids = [new_id() for _ in range(1000)]
    assert all(is_id(one) for one in ids)
    assert ids == sorted(set(ids))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0192",
        "0192b1f4-7c1e-4d3a-8f00-000000000000",  # version 4
        "0192b1f4-7c1e-7d3a-cf00-000000000000",  # another variant
        "0192B1F4-7C1E-7D3A-8F00-000000000000",
        "0192b1f47c1e7d3a8f00000000000000",
        "0192b1f4-7c1e-7d3a-8f00-000000000000\n",
        "x" * 36,
    ],
)
def test_anything_but_a_canonical_uuidv7_is_no_id(text: str) -> None:
    assert not is_id(text)


def test_the_clock_tells_utc() -> None:
    now = SystemClock().now()
    assert now.utcoffset() == timedelta(0)
    assert abs(now - datetime.now(UTC)) < timedelta(seconds=5)


def test_a_time_goes_to_protobuf_and_back_as_the_same_moment_in_utc() -> None:
    there = datetime(2026, 11, 24, 23, 30, 0, 123456, timezone(timedelta(hours=5, minutes=30)))
    back = from_timestamp(to_timestamp(there))
    assert back == there
    assert back.utcoffset() == timedelta(0)
