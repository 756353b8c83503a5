"""A short fault drill: services are killed, paused, slowed and cut off while travelers are screened."""

from __future__ import annotations

from pathlib import Path

import pytest

from borderpost.drill.__main__ import drill

SAMPLES = Path(__file__).parents[2] / ".cache/samples"
SEED = 20_261_126


@pytest.mark.timeout(120)
def test_whatever_fails_everybody_gets_an_answer_nobody_is_clear_unchecked_and_nothing_is_lost(tmp_path):
    if not (SAMPLES / "obama.jpg").exists():
        pytest.skip("the sample pictures are not here: `make samples` fetches them")
    result = drill(tmp_path, SAMPLES, screenings=10_000, longest_seconds=20, seed=SEED)
    assert result.wrong == []
    assert result.whole > 10
    assert sum(result.faults.values()) > 4
