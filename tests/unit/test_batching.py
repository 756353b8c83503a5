"""Batches across callers: whoever is alone never waits, whoever waits is embedded together, nobody gets another's."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from borderpost.faces.adapters.batching import BatchingEmbedder
from fakes.faces import CARD, MeanEmbedder

SECONDS = 10


class GatedEmbedder(MeanEmbedder):
    """Embeds when it is let, and remembers how many chips it was given each time."""

    def __init__(self):
        self.gate, self.begun, self.sizes = threading.Event(), threading.Semaphore(0), []

    def embed(self, chips):
        self.sizes.append(len(chips))
        self.begun.release()
        assert self.gate.wait(SECONDS)
        if chips.min() == 99:
            raise ZeroDivisionError
        return super().embed(chips)


def chips(value, count=1):
    return np.full((count, 4, 4, 3), value, np.uint8)


def waiting(batching, count):
    """Wait until so many callers wait."""
    for _ in range(1000):
        if len(batching._waiting) == count:
            return
        threading.Event().wait(0.005)
    pytest.fail("nobody waits")


@pytest.fixture
def inner():
    inner = GatedEmbedder()
    yield inner
    inner.gate.set()


@pytest.fixture
def threads():
    with ThreadPoolExecutor(8) as threads:
        yield threads


def test_who_is_alone_never_waits_for_others(inner):
    inner.gate.set()
    batching = BatchingEmbedder(inner, at_once=1)
    for value in (1, 2, 3):
        assert batching.embed(chips(value))[0, 0] == value
    assert inner.sizes == [1, 1, 1]


def test_as_many_as_may_embed_beside_each_other(inner, threads):
    batching = BatchingEmbedder(inner, at_once=2)
    answers = [threads.submit(batching.embed, chips(value)) for value in (1, 2)]
    assert all(inner.begun.acquire(timeout=SECONDS) for _ in range(2))
    inner.gate.set()
    assert [answer.result(SECONDS)[0, 0] for answer in answers] == [1, 2]


def test_those_who_wait_are_embedded_in_one_batch_and_each_gets_its_own(inner, threads):
    batching = BatchingEmbedder(inner, at_once=1)
    first = threads.submit(batching.embed, chips(1))
    assert inner.begun.acquire(timeout=SECONDS)
    others = {
        value: threads.submit(batching.embed, chips(value, count))
        for value, count in ((2, 1), (3, 2), (4, 1))
    }
    waiting(batching, 3)
    inner.gate.set()
    assert first.result(SECONDS)[0, 0] == 1
    for value, answer in others.items():
        embeddings = answer.result(SECONDS)
        assert (embeddings[:, 0] == value).all()
        assert len(embeddings) == (2 if value == 3 else 1)
    assert inner.sizes == [1, 4]


def test_a_batch_has_an_end_and_a_large_call_is_taken_alone(inner, threads):
    batching = BatchingEmbedder(inner, at_once=1, most_chips=3)
    first = threads.submit(batching.embed, chips(1))
    assert inner.begun.acquire(timeout=SECONDS)
    answers = []
    for number, count in enumerate((2, 2, 5)):
        answers.append(threads.submit(batching.embed, chips(2, count)))
        waiting(batching, number + 1)
    inner.gate.set()
    assert [len(answer.result(SECONDS)) for answer in (first, *answers)] == [1, 2, 2, 5]
    assert inner.sizes == [1, 2, 2, 5]


def test_an_error_reaches_every_caller_of_its_batch_and_nobody_else(inner, threads):
    batching = BatchingEmbedder(inner, at_once=1)
    first = threads.submit(batching.embed, chips(1))
    assert inner.begun.acquire(timeout=SECONDS)
    others = [threads.submit(batching.embed, chips(99)) for _ in range(2)]
    waiting(batching, 2)
    inner.gate.set()
    assert first.result(SECONDS)[0, 0] == 1
    for answer in others:
        with pytest.raises(ZeroDivisionError):
            answer.result(SECONDS)
    assert batching.embed(chips(5))[0, 0] == 5


def test_many_callers_get_their_own_answers():
    batching = BatchingEmbedder(MeanEmbedder(), at_once=1)
    values = [int(value) for value in np.random.default_rng(3).integers(0, 255, 2000)]
    with ThreadPoolExecutor(16) as threads:
        answers = list(threads.map(lambda value: batching.embed(chips(value, 1 + value % 3)), values))
    for value, answer in zip(values, answers, strict=True):
        assert (answer[:, 0] == value).all()
        assert len(answer) == 1 + value % 3


def test_the_card_is_the_embedders():
    assert BatchingEmbedder(MeanEmbedder(), at_once=1).card is CARD
