"""A gateway for the console's pages that isn't there: every method answers what is laid out for it."""

from __future__ import annotations

from typing import Any

from borderpost.console.gateway import Gateway
from borderpost.v1 import cases_pb2


class FakeGateway(Gateway):
    """Answers every method with what is laid out; remembers what was asked, and with which metadata."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Any, dict[str, Any]]] = []
        self.answers: dict[str, Any] = {"ListCases": cases_pb2.ListCasesResponse()}
        for room in (
            "authority",
            "cases",
            "decisions",
            "faces",
            "gateway",
            "subjects",
            "transparency",
            "trust",
        ):
            setattr(self, room, self)
        self.watchlist = self

    def __getattr__(self, name: str) -> Any:
        async def method(request: Any, metadata: Any, **_: Any) -> Any:
            self.asked.append((name, request, dict(metadata)))
            answer = self.answers[name]
            if isinstance(answer, Exception):
                raise answer
            return answer

        return method
