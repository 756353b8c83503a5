"""The decisions service without its server: real adapters in a folder, as `__main__` puts them together."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from borderpost.decisions.__main__ import House
from borderpost.decisions.domain import Appended
from borderpost.runtime.settings import DecisionsSettings, Settings
from borderpost.v1.decisions_pb2 import AppendScreeningRequest, TravelerScreened
from fakes.decisions import a_call, a_payload


def house_settings(folder: Path, **decisions: object) -> Settings:
    """Settings of a service that keeps its state in `folder`."""
    return Settings(state_dir=folder, decisions=DecisionsSettings(**decisions))


@contextmanager
def open_house(folder: Path, **decisions: object) -> Iterator[House]:
    """Open the service's house; its settings are development's, apart from those that are named."""
    with ExitStack() as opened:
        yield House(house_settings(folder, **decisions), opened)


def append(house: House, screening: TravelerScreened) -> Appended:
    """Append a screening of its kiosk, with a payload."""
    request = AppendScreeningRequest(screening=screening, payload=a_payload())
    return house.decisions.append_screening(request, a_call())
