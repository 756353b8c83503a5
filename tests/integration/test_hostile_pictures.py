"""Mutated and hostile pictures, in a process of their own: typed errors only, no crash, bounded memory and time."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parents[1] / "fakes" / "hostile.py"

MAX_PEAK_BYTES = 1.5 * 2**30

MAX_SECONDS = 20
"""For one picture, on a machine that is busy with other tests; alone the slowest takes about a second."""


def survived(count, seed, *mode):
    command = [sys.executable, "-W", "ignore", str(PROGRAM), str(count), str(seed), *mode]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2_000:]
    report = json.loads(done.stdout)
    print(report)  # noqa: T201
    assert report["untyped"] == []
    assert sum(report["outcomes"].values()) == count
    assert report["peak_bytes"] < MAX_PEAK_BYTES
    assert report["slowest"][0] < MAX_SECONDS
    return report["outcomes"]


def test_three_hundred_hostile_pictures_end_in_typed_errors_without_crash_or_much_memory():
    outcomes = survived(300, 7)
    assert {"decoded", "PICTURE_FORMAT", "PICTURE_DAMAGED", "PICTURE_TOO_LARGE"} <= set(outcomes)


@pytest.mark.slow
@pytest.mark.timeout(3_000)
def test_five_thousand_hostile_pictures_come_through_decoding_detection_and_quality():
    outcomes = survived(5_000, 11, "look")
    assert {"decoded", "PICTURE_FORMAT", "PICTURE_DAMAGED", "PICTURE_TOO_LARGE"} <= set(outcomes)
