"""Answering together what is asked together: the same answers, no waiting for one, no failing for another."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence

import pytest

from borderpost.runtime.errors import OverloadedError
from borderpost.runtime.pool import WorkPool
from borderpost.watchlist.coalescing import MOST, MOST_WAITING, Coalescer
from borderpost.watchlist.domain import SearchQuery
from borderpost.watchlist.persons import DocumentKey, PersonName
from fakes.watchlist import OTHER_MODEL, House, a_quick_house, a_template, an_entry, near


@pytest.fixture
async def pool() -> AsyncIterator[WorkPool]:
    pool = WorkPool(threads=2, queue=64)
    yield pool
    pool.close()


class Answering:
    """Answers a number by its double, remembers the groups, and can be held up."""

    def __init__(self) -> None:
        self.groups: list[list[int]] = []
        self.open = threading.Event()
        self.open.set()
        self.begun = threading.Event()
        self.bad: set[int] = set()

    def __call__(self, questions: Sequence[int]) -> list[int]:
        self.groups.append(list(questions))
        self.begun.set()
        assert self.open.wait(30)
        if self.bad & set(questions):
            raise ValueError(sorted(self.bad & set(questions)))
        return [2 * question for question in questions]

    async def held_up(self, coalescer: Coalescer[int, int], question: int) -> asyncio.Future[int]:
        """A question that is being answered, until `open` is set."""
        self.open.clear()
        self.begun.clear()
        first = asyncio.ensure_future(coalescer.ask(question))
        assert await asyncio.to_thread(self.begun.wait, 30)
        return first


async def test_whoever_is_alone_is_answered_at_once_and_alone(pool: WorkPool):
    answering = Answering()
    coalescer = Coalescer(answering)
    for question in range(5):
        assert await coalescer.ask(question) == 2 * question
    assert answering.groups == [[0], [1], [2], [3], [4]]


async def test_what_is_asked_while_others_are_answered_is_the_next_group(pool: WorkPool):
    answering = Answering()
    coalescer = Coalescer(answering)
    first = await answering.held_up(coalescer, 0)
    others = [asyncio.ensure_future(coalescer.ask(question)) for question in range(1, MOST + 4)]
    await asyncio.sleep(0)
    answering.open.set()
    assert await asyncio.gather(first, *others) == [2 * question for question in range(MOST + 4)]
    assert [len(group) for group in answering.groups] == [1, MOST, 3]
    assert await coalescer.ask(7) == 14


async def test_one_question_that_fails_does_not_take_the_others_answers_with_it(pool: WorkPool):
    answering = Answering()
    answering.bad = {3}
    coalescer = Coalescer(answering)
    first = await answering.held_up(coalescer, 0)
    others = [asyncio.ensure_future(coalescer.ask(question)) for question in range(1, 6)]
    await asyncio.sleep(0)
    answering.open.set()
    answers = await asyncio.gather(first, *others, return_exceptions=True)
    assert [each for each in answers if not isinstance(each, ValueError)] == [0, 2, 4, 8, 10]
    (error,) = [each for each in answers if isinstance(each, ValueError)]
    assert error.args == ([3],)


async def test_a_question_whose_caller_went_away_is_not_answered_and_disturbs_nobody(pool: WorkPool):
    answering = Answering()
    coalescer = Coalescer(answering)
    first = await answering.held_up(coalescer, 0)
    gone, stays = (asyncio.ensure_future(coalescer.ask(question)) for question in (1, 2))
    await asyncio.sleep(0)
    gone.cancel()
    answering.open.set()
    assert await asyncio.gather(first, stays) == [0, 4]
    assert answering.groups == [[0], [2]]
    assert gone.cancelled()


async def test_a_caller_that_goes_away_while_it_is_answered_does_not_stop_the_next(pool: WorkPool):
    answering = Answering()
    coalescer = Coalescer(answering)
    first = await answering.held_up(coalescer, 0)
    second = asyncio.ensure_future(coalescer.ask(1))
    await asyncio.sleep(0)
    first.cancel()
    answering.open.set()
    assert await second == 2


async def test_more_than_may_wait_are_refused_at_once_and_those_who_wait_are_answered(pool: WorkPool):
    answering = Answering()
    coalescer = Coalescer(answering)
    first = await answering.held_up(coalescer, 0)
    waiting = [asyncio.ensure_future(coalescer.ask(question)) for question in range(MOST_WAITING)]
    await asyncio.sleep(0)
    with pytest.raises(OverloadedError) as refused:
        await coalescer.ask(1)
    assert int(refused.value.details["retry_after_ms"]) > 0
    answering.open.set()
    assert await asyncio.gather(first, *waiting) == [0, *(2 * question for question in range(MOST_WAITING))]
    assert await coalescer.ask(1) == 2


def queries() -> list[SearchQuery]:
    """Searches of every kind: several models and numbers of templates, by face, document and name."""
    asked = []
    for seed in range(6):
        face, other = near(a_template(seed), 0.9, seed), a_template(seed, OTHER_MODEL)
        asked += [
            SearchQuery((face,)),
            SearchQuery((face, near(a_template(seed + 1), 0.9, seed))),
            SearchQuery((other,)),
            SearchQuery(document=DocumentKey("P", "UTO", f"D{seed:06}")),
            SearchQuery((face,), DocumentKey("P", "UTO", f"D{seed:06}"), PersonName("Eriksson", "Anna")),
            SearchQuery((face,), crossing="south"),
            SearchQuery((face,), list_ids=frozenset({"none"})),
        ]
    return asked


def test_searches_that_are_answered_together_are_answered_as_if_each_were_alone():
    with a_quick_house() as house:
        lists = [house.new_list(target_fpir=0.1), house.new_list(target_fpir=0.01, crossings=("north",))]
        for seed in range(8):
            templates = (a_template(seed), a_template(seed, OTHER_MODEL), a_template(100 + seed))
            documents = (DocumentKey("P", "UTO", f"D{seed:06}"),)
            names = (PersonName("Eriksson", "Anna"),)
            list_id = lists[seed % 2].list_id
            house.add(an_entry(list_id, templates=templates, documents=documents, names=names))
        together = house.app.search(queries())
        alone = [house.search(query) for query in queries()]
        assert sum(len(result.candidates) for answer in alone for result in answer.results) > 20
        assert [without_pairs(answer) for answer in together] == [without_pairs(answer) for answer in alone]


def without_pairs(answer):
    """An answer but for its sealed pairs, of which each is another."""
    return [
        (
            result.state,
            result.threshold,
            result.name_threshold,
            result.entries_searched,
            [
                (c.entry_id, c.kind, c.face, c.number, c.name, c.odds, c.suppressed, bool(c.pair))
                for c in result.candidates
            ],
        )
        for result in answer.results
    ] + [(answer.version, answer.searched_by)]


async def test_a_house_that_is_asked_by_many_at_once_answers_each(pool: WorkPool):
    with a_quick_house() as house:
        assert isinstance(house, House)
        watchlist = house.new_list(target_fpir=0.1)
        entries = [house.add(an_entry(watchlist.list_id, templates=(a_template(i),))) for i in range(5)]
        coalescer = Coalescer(house.app.search)
        asked = [SearchQuery((near(a_template(i % 5), 0.99, i),)) for i in range(40)]
        answers = await asyncio.gather(*(coalescer.ask(query) for query in asked))
        best = [answer.results[0].candidates[0].entry_id for answer in answers]
        assert best == [entries[i % 5].entry_id for i in range(40)]
