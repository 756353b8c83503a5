"""A template index by brute force, a clock that stands still, and samples of lists, entries and templates.

`House` is the watchlist service without its wire: real use cases over a real database and index.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyrage
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from borderpost.runtime.calibration import Calibration, Row
from borderpost.runtime.calls import Actor
from borderpost.runtime.clock import new_id
from borderpost.v1.decisions_pb2 import Event
from borderpost.watchlist.adapters.faiss_index import FaissIndex
from borderpost.watchlist.adapters.sql_store import open_store
from borderpost.watchlist.app import Watchlists
from borderpost.watchlist.domain import (
    Caller,
    Candidate,
    Category,
    EntryContent,
    MatchKind,
    SearchAnswer,
    SearchQuery,
    Watchlist,
)
from borderpost.watchlist.exporting import Exporting
from borderpost.watchlist.importing import Importing
from borderpost.watchlist.keeper import Keeper
from borderpost.watchlist.measuring import Measuring
from borderpost.watchlist.names import load_name_calibration
from borderpost.watchlist.partners import Partner
from borderpost.watchlist.persons import PartialDate, PersonName
from borderpost.watchlist.ports import BuildIndex, Pairs
from borderpost.watchlist.receiving import Receiving
from borderpost.watchlist.search import Meaning
from borderpost.watchlist.servicer import UseCases, row_of
from borderpost.watchlist.suppressing import PairSeal, Suppressing
from borderpost.watchlist.taking import BundleTaking
from borderpost.watchlist.templates import Model, Template, Vectors

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
MODEL = Model("test-model", 16)
OTHER_MODEL = Model("other-model", 8)
ANNA = Actor("borderpost.test", "anna")
BEN = Actor("borderpost.test", "ben")
CARL = Actor("borderpost.test", "carl")
DORA = Actor("borderpost.test", "dora")


def _row(fmr: float, score: float, false_matches: int) -> Row:
    groups = {"sex: female": min(1.0, 2 * fmr), "sex: male": fmr}
    return Row(fmr, score, false_matches, min(1.0, 1.5 * fmr), groups)


CALIBRATION = Calibration(
    id="c" * 64,
    model_id=MODEL.model_id,
    card_sha256="f" * 64,
    metric="cosine",
    data="made up",
    method="made up",
    impostor_comparisons=10**8,
    groups=("sex: female", "sex: male"),
    safety_factor=2.0,
    safety_reason="made up",
    rows=(
        _row(1.0, -1.0, 10**8),
        _row(0.1, 0.3, 10**7),
        _row(1e-2, 0.5, 10**6),
        _row(1e-3, 0.65, 10**5),
        _row(1e-4, 0.75, 10**4),
        _row(1e-5, 0.85, 10**3),
    ),
    checked_on={},
)
CALIBRATIONS = {
    MODEL.model_id: CALIBRATION,
    OTHER_MODEL.model_id: replace(CALIBRATION, id="d" * 64, model_id=OTHER_MODEL.model_id),
}


class StillClock:
    """Tells NOW until it is moved."""

    def __init__(self) -> None:
        self.time = NOW

    def now(self) -> datetime:
        return self.time

    def move(self, by: timedelta) -> None:
        self.time += by


class BruteForceIndex:
    """A `TemplateIndex` that computes every inner product in double precision."""

    def __init__(self, vectors: Vectors) -> None:
        self.vectors = vectors

    def at_least(self, probes: Vectors, scores: npt.NDArray[np.float64]) -> Pairs:
        products = probes.astype(np.float64) @ self.vectors.astype(np.float64).T
        found, rows = np.nonzero(products >= scores[:, np.newaxis])
        return Pairs(found, rows, products[found, rows])


class FailingIndex:
    """Builds like FAISS until `fail` is set: then it has no memory."""

    def __init__(self) -> None:
        self.fail = False

    def __call__(self, vectors: Vectors) -> FaissIndex:
        if self.fail:
            raise MemoryError
        return FaissIndex(vectors)


def unit_vectors(count: int, dimension: int, seed: int) -> Vectors:
    vectors = np.random.default_rng(seed).standard_normal((count, dimension))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def near(template: Template, cosine: float, seed: int) -> Template:
    """A template whose cosine with the given one is `cosine`, within single precision."""
    base = np.frombuffer(template.values, dtype=np.float32).astype(np.float64)
    other = np.random.default_rng(10**6 + seed).standard_normal(template.model.dimension)
    other -= (other @ base) * base
    other /= np.linalg.norm(other)
    values = cosine * base + np.sqrt(1 - cosine**2) * other
    return Template(template.model, values.astype(np.float32).tobytes())


def a_template(seed: int, model: Model = MODEL) -> Template:
    return Template(model, unit_vectors(1, model.dimension, seed).tobytes())


def a_name(number: int) -> PersonName:
    """A name that is like no other number's."""
    picks = random.Random(number)  # noqa: S311  # repeatable
    syllables = [a + b for a in "bdfgklmnprstvz" for b in "aeiou"]
    return PersonName("".join(picks.choices(syllables, k=5)), "".join(picks.choices(syllables, k=3)))


def a_list(**changes: Any) -> Watchlist:
    list_id = new_id()
    watchlist = Watchlist(
        list_id=list_id,
        name=f"Wanted persons {list_id}",
        authority="Ministry of the Interior",
        legal_basis="Border Act, s. 12",
        category=Category.WANTED,
        priority=2,
        handling_instruction="Call the shift leader.",
        target_fpir=0.01,
        name_target_fpir=0.01,
    )
    return replace(watchlist, **changes)


def an_entry(list_id: str, **changes: Any) -> EntryContent:
    content = EntryContent(
        entry_id=new_id(),
        list_id=list_id,
        templates=(),
        names=(),
        birth_date=PartialDate(),
        documents=(),
        reason_code="R1",
        source_reference="case 4711",
        valid_from=None,
        valid_until=NOW + timedelta(days=365),
    )
    return replace(content, **changes)


def by(actor: Actor, purpose: str = "", scopes: frozenset[str] = frozenset()) -> Caller:
    return Caller(actor, purpose, scopes)


@dataclass(frozen=True)
class Agency:
    """Who exchanges bundles: a name, a key to sign with and an identity that bundles are encrypted to."""

    name: str = "borderpost.test"
    signing_key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    identity: pyrage.x25519.Identity = field(default_factory=pyrage.x25519.Identity.generate)

    def as_partner(self) -> Partner:
        """What others have of it in their settings."""
        return Partner(self.name, str(self.identity.to_public()), self.signing_key.public_key())


class House:
    """The watchlist service without its wire, over database files. `partners` are other houses' agencies.

    `database`: that of a PostgreSQL server (`fakes.postgres`), in the place of a file.
    """

    def __init__(
        self,
        folder: Path,
        build_index: BuildIndex = FaissIndex,
        agency: Agency | None = None,
        partners: tuple[Agency, ...] = (),
        database: str = "",
    ) -> None:
        self.folder = folder
        self.clock = StillClock()
        self.agency = agency or Agency()
        self.store = open_store(folder, database, None, "")
        self.database = self.store.database
        self.keeper = Keeper(self.store, build_index, CALIBRATIONS, self.clock)
        self.keeper.check_models()
        self.keeper.load()
        self.keeper.clean()
        self.meaning = Meaning(CALIBRATIONS, load_name_calibration())
        self.pairs = PairSeal(self.store.secret("pairs"))
        self.app = Watchlists(self.keeper, self.meaning, self.pairs.seal, most_lists=10_000)
        self.measuring = Measuring(self.keeper, self.meaning)
        self.suppressing = Suppressing(self.keeper, self.pairs)
        self.importing = Importing(self.keeper, self.app, self.store.secret("records"))
        known = {each.name: each.as_partner() for each in partners}
        made, received = folder / "bundles/made", folder / "bundles/received"
        self.exporting = Exporting(self.keeper, made, self.agency.signing_key, self.agency.name, known)
        self.receiving = Receiving(received, self.agency.identity, known.values(), self.clock)
        self.taking = BundleTaking(self.importing, self.receiving, row_of)

    @property
    def use_cases(self) -> UseCases:
        """All of them, for a servicer."""
        return UseCases(
            self.keeper,
            self.meaning,
            self.app,
            self.measuring,
            self.suppressing,
            self.importing,
            self.exporting,
            self.receiving,
            self.taking,
        )

    def new_list(self, **changes: Any) -> Watchlist:
        watchlist = a_list(**changes)
        self.app.create_watchlist(watchlist, by(ANNA, "set-up"))
        return watchlist

    def add(self, content: EntryContent) -> EntryContent:
        """Propose and approve."""
        self.app.propose_entry(content, by(ANNA, "set-up"))
        self.app.approve_entry(content.entry_id, by(BEN, "set-up"))
        return content

    def search(self, query: SearchQuery) -> SearchAnswer:
        """Search for one."""
        return self.app.search([query])[0]

    def events(self) -> list[Event]:
        """What waits for the decision log, oldest first."""
        with self.database.read() as connection:
            rows = connection.execute("SELECT event FROM outbox ORDER BY sequence").fetchall()
        return [Event.FromString(row["event"]) for row in rows]

    def bodies(self, kind: str) -> list[Any]:
        """The bodies of the events of one kind."""
        return [getattr(event, kind) for event in self.events() if event.WhichOneof("body") == kind]

    def version_of(self, list_id: str) -> int:
        """The version of a list, as it is searched."""
        return self.keeper.view.lists[list_id].state.version


@contextmanager
def a_house(
    folder: Path,
    build_index: BuildIndex = FaissIndex,
    agency: Agency | None = None,
    partners: tuple[Agency, ...] = (),
    database: str = "",
) -> Iterator[House]:
    house = House(folder, build_index, agency, partners, database)
    try:
        yield house
    finally:
        house.store.close()


@contextmanager
def a_quick_house(
    build_index: BuildIndex = FaissIndex,
    agency: Agency | None = None,
    partners: tuple[Agency, ...] = (),
    database: str = "",
) -> Iterator[House]:
    """A house whose files are in memory, where the system has room there: most tests prove nothing of disks."""
    memory = Path("/dev/shm")  # noqa: S108  # a folder of its own in it
    with (
        tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder,
        a_house(Path(folder), build_index, agency, partners, database) as house,
    ):
        yield house


def candidates(answer: SearchAnswer) -> list[Candidate]:
    """All candidates of all lists."""
    return [candidate for result in answer.results for candidate in result.candidates]


def found(answer: SearchAnswer) -> list[tuple[str, MatchKind]]:
    """Who was found, and by what."""
    return [(each.entry_id, each.kind) for each in candidates(answer)]
