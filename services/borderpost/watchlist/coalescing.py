"""Answering together what is asked at the same moment. Whoever is alone never waits.

A search passes over all templates of a list: memory is what it waits for. Several searches that pass together wait for
it once. So one group is answered at a time, on all cores; what is asked meanwhile is the next group.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, Generic, TypeVar

from borderpost.runtime.errors import OverloadedError
from borderpost.runtime.pool import WorkPool

Question = TypeVar("Question")
Answer = TypeVar("Answer")

MOST: Final = 32
"""Questions of one group: more gain little, and wait for one another."""


MOST_WAITING: Final = 8 * MOST
"""Questions that may wait: at most so many groups are answered before the last of them. More are refused at once, as
`WorkPool` does with other calls."""


class Coalescer(Generic[Question, Answer]):
    """Hands questions to a function that answers several at a time. To be used from one event loop.

    It has a thread of its own: the threads of other calls may all be waiting for a change to be written.
    """

    def __init__(self, answer: Callable[[Sequence[Question]], Sequence[Answer]]) -> None:
        self._answer = answer
        self._pool = WorkPool(threads=1, queue=1)
        self._waiting: deque[tuple[Question, asyncio.Future[Answer]]] = deque()
        self._draining: asyncio.Task[None] | None = None

    async def ask(self, question: Question) -> Answer:
        """The answer. Raises OverloadedError if too many wait.

        Raises what the function raises, too; of a group that failed every question is then asked alone.
        """
        if len(self._waiting) >= MOST_WAITING:
            raise OverloadedError(
                "too many searches at once: try again later", retry_after_ms=str(self._pool.retry_after_ms())
            )
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((question, future))
        if self._draining is None:
            self._draining = asyncio.create_task(self._drain())
        return await future

    async def _drain(self) -> None:
        try:
            while self._waiting:
                count = min(len(self._waiting), MOST)
                group = [self._waiting.popleft() for _ in range(count)]
                asked = [(question, future) for question, future in group if not future.done()]
                if asked:
                    await self._answer_group(asked)
        finally:
            self._draining = None

    async def _answer_group(self, asked: Sequence[tuple[Question, asyncio.Future[Answer]]]) -> None:
        try:
            answers = await self._pool.run(self._answer, [question for question, _ in asked])
        except Exception as error:
            if len(asked) == 1:
                _fail(asked[0][1], error)
                return
            # One bad question must not take the others' answers with it.
            for each in asked:
                await self._answer_group([each])
            return
        for (_, future), answer in zip(asked, answers, strict=True):
            if not future.done():
                future.set_result(answer)


def _fail(future: asyncio.Future[Answer], error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
