"""Lists and entries, what is found about them, and the rules that tell whether an entry is searched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Final

import numpy as np
import numpy.typing as npt

from borderpost.runtime.calibration import FalseMatchRate
from borderpost.runtime.calls import Actor
from borderpost.watchlist.names import NameMatch
from borderpost.watchlist.numbers import NumberMatch
from borderpost.watchlist.persons import UNKNOWN_DATE, DocumentKey, PartialDate, PersonName
from borderpost.watchlist.templates import Model, Template, Vectors
from borderpost.watchlist.thresholds import AlertOdds, FaceThreshold, OwnScores

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
ALWAYS: Final = int(np.iinfo(np.int64).min)
"""The begin of a validity that has none of its own."""

DEFAULT_BASE_RATE: Final = 1e-5
"""Share of travelers assumed to be on a list that says nothing else: one in 100,000."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks for something, why, as they said, and what they are limited to; no scopes: not limited."""

    actor: Actor
    purpose: str = ""
    scopes: frozenset[str] = frozenset()


class Category(Enum):
    """Why a list exists."""

    SECURITY = "security"
    WANTED = "wanted"
    MISSING_OR_VULNERABLE = "missing_or_vulnerable"
    IMMIGRATION = "immigration"
    DOCUMENT = "document"


class EntryState(Enum):
    """Where an entry stands at a given time. `APPROVED`, `ACTIVE` and `EXPIRED` are never stored: the clock says it."""

    PROPOSED = "proposed"
    APPROVED = "approved"
    ACTIVE = "active"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class Watchlist:
    """A list: whose, on what ground, where and how long it is searched, and which rate of false alarms it aims at.

    `crossings` empty: searched at all. `retention_days`: how long an entry is kept after its end.
    """

    list_id: str
    name: str
    authority: str
    legal_basis: str
    category: Category
    priority: int
    handling_instruction: str
    target_fpir: float
    name_target_fpir: float
    valid_from: datetime | None = None
    valid_until: datetime | None = None
    retention_days: int = 0
    crossings: tuple[str, ...] = ()
    base_rate: float = DEFAULT_BASE_RATE
    suppression_people: int = 2

    def is_in_force(self, now: datetime) -> bool:
        """Tell whether it is searched at `now`."""
        begun = self.valid_from is None or self.valid_from <= now
        return begun and (self.valid_until is None or now < self.valid_until)


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where an imported entry is from: the import, who sent it, its id there, the SHA-256 of the file."""

    import_id: str
    source: str
    record_id: str
    content_sha256: bytes


@dataclass(frozen=True, slots=True)
class EntryContent:
    """What an authority says about a person or document. Times are UTC."""

    entry_id: str
    list_id: str
    templates: tuple[Template, ...]
    names: tuple[PersonName, ...]
    birth_date: PartialDate
    documents: tuple[DocumentKey, ...]
    reason_code: str
    source_reference: str
    valid_from: datetime | None
    valid_until: datetime
    sex: str = ""
    nationalities: tuple[str, ...] = ()
    pictures: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Approval:
    """Who approved an entry, and the version of its list from which it is searched."""

    by: Actor
    version: int


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry as kept. Templates and pictures are left out of `content` where it is only shown; the counts stay true.

    `pending_import` is the import that it waits with, if it is to be approved as part of one.
    """

    content: EntryContent
    template_count: int
    proposed_by: Actor
    approval: Approval | None = None
    picture_count: int = 0
    withdrawn_at: datetime | None = None
    provenance: Provenance | None = None
    pending_import: str | None = None

    def state(self, now: datetime) -> EntryState:
        """Where it stands at `now`."""
        if self.withdrawn_at is not None:
            return EntryState.WITHDRAWN
        if now >= self.content.valid_until:
            return EntryState.EXPIRED
        if self.approval is None:
            return EntryState.PROPOSED
        begun = self.content.valid_from is None or self.content.valid_from <= now
        return EntryState.ACTIVE if begun else EntryState.APPROVED

    def shown(self) -> Entry:
        """The same, to be shown: templates and pictures are left out."""
        return replace(self, content=replace(self.content, templates=(), pictures=()))


@dataclass(frozen=True, slots=True)
class FaceRows:
    """Templates of one model: N × dimension; `entry_of` tells for each row the place of its entry, ascending."""

    vectors: Vectors
    entry_of: npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class EntryBlock:
    """Approved entries of one list as a search needs them, in columns. Validities are microseconds since 1970 (UTC).

    `names` and `documents` have one element for each name or document, with the place of its entry.
    """

    list_id: str
    entry_ids: Sequence[str]
    valid_from: npt.NDArray[np.int64]
    valid_until: npt.NDArray[np.int64]
    faces: Mapping[Model, FaceRows]
    names: Sequence[tuple[int, PersonName, PartialDate]]
    documents: Sequence[tuple[int, DocumentKey]]


@dataclass(frozen=True, slots=True)
class ListState:
    """A list with its version and the time of its last change."""

    watchlist: Watchlist
    version: int
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class Alike:
    """Two entries that may be one person, and the score of their likest templates."""

    entry_id: str
    other_entry_id: str
    score: float


@dataclass(frozen=True, slots=True)
class Measured:
    """What a list's own templates said of its thresholds, when it was at `version`."""

    list_id: str
    own: OwnScores
    alike: tuple[Alike, ...]
    version: int
    measured_at: datetime


class SuppressionState(Enum):
    """Where a suppression stands at a given time."""

    PROPOSED = "proposed"
    ACTIVE = "active"
    EXPIRED = "expired"
    REVOKED = "revoked"
    OUTDATED = "outdated"


@dataclass(frozen=True, slots=True)
class Suppression:
    """Officers found that the holder of a document is not the person of an entry.

    It holds for this document, this holder's face and these templates of the entry: `holder` are the templates of the
    search that found the pair, until it is over; `entry_sha256` is the `digest` of the entry's templates then. `needed`
    is how many people it takes.
    """

    suppression_id: str
    list_id: str
    entry_id: str
    document: DocumentKey
    holder: tuple[Template, ...]
    entry_sha256: bytes
    reason: str
    needed: int
    proposed_by: Actor
    proposed_at: datetime
    expires_at: datetime
    confirmed_by: Actor | None = None
    revoked_by: Actor | None = None

    def state(self, now: datetime, entry_sha256: bytes) -> SuppressionState:
        """Where it stands at `now`, if the entry's templates have this digest now."""
        if self.revoked_by is not None:
            return SuppressionState.REVOKED
        if entry_sha256 != self.entry_sha256:
            return SuppressionState.OUTDATED
        if now >= self.expires_at:
            return SuppressionState.EXPIRED
        confirmed = self.needed == 1 or self.confirmed_by is not None
        return SuppressionState.ACTIVE if confirmed else SuppressionState.PROPOSED


class ImportState(Enum):
    """Where an import stands."""

    STAGING = "staging"
    PROPOSED = "proposed"
    APPLIED = "applied"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Import:
    """An import: rows of one source for one list, applied all at once or not at all.

    `next_row` is the first row number, from 1, that was not taken yet. `removed` is known when it is finished.
    `base` names what the list held of the source when it was begun, so that a diff that no longer holds is seen.
    `unnamed` are the rows in error that say of no record that they are about it.
    """

    import_id: str
    list_id: str
    source: str
    content_sha256: bytes
    complete: bool
    rows: int
    proposed_by: Actor
    state: ImportState = ImportState.STAGING
    next_row: int = 1
    added: int = 0
    changed: int = 0
    unchanged: int = 0
    removed: int = 0
    errors: int = 0
    approved_by: Actor | None = None
    version: int = 0
    base: str = ""
    begun_at: datetime = EPOCH
    unnamed: int = 0

    @property
    def is_open(self) -> bool:
        """Whether it was neither applied nor dropped."""
        return self.state in (ImportState.STAGING, ImportState.PROPOSED)


@dataclass(frozen=True, slots=True)
class RowError:
    """Why a row of an import can't be used. It names the field and never its content."""

    row: int
    reason: str
    field: str
    message: str


@dataclass(frozen=True, slots=True)
class NameThreshold:
    """The score from which a name is a candidate on one list."""

    score: float
    supported: bool
    names: int
    calibration_id: str


@dataclass(frozen=True, slots=True)
class ListSummary:
    """A list with what is on it at a given time."""

    state: ListState
    active_entries: int
    proposed_entries: int
    ended_entries: int
    thresholds: tuple[FaceThreshold, ...]


@dataclass(frozen=True, slots=True)
class ListStatistics:
    """Everything about the state of a list. `tombstones` are templates that are removed and not yet merged away."""

    summary: ListSummary
    measured: tuple[Measured, ...]
    name_threshold: NameThreshold
    names: int
    documents: int
    suppressions: int
    blocks: int
    tombstones: int
    index_version: int
    as_of: datetime


@dataclass(frozen=True, slots=True)
class SearchQuery:
    """Who is looked for: at least one of templates (all of one model), document and name.

    `list_ids` empty: every list that `crossing` and `scopes` open. `crossing` is None for a person's search, which
    isn't bound to one; `scopes` empty: not limited to lists.
    """

    templates: tuple[Template, ...] = ()
    document: DocumentKey | None = None
    name: PersonName | None = None
    birth_date: PartialDate = UNKNOWN_DATE
    list_ids: frozenset[str] = frozenset()
    crossing: str | None = None
    scopes: frozenset[str] = frozenset()


class MatchKind(Enum):
    """What made an entry a candidate, or what was searched by. In the order of an answer."""

    FACE = "face"
    DOCUMENT = "document"
    NAME = "name"


@dataclass(frozen=True, slots=True)
class FaceScore:
    """The best score of an entry's face and what it means.

    `value` is a cosine; `fmr` the false-match rate at it; `template_index` the query's template that gave it.
    """

    value: float
    fmr: FalseMatchRate
    calibration_id: str
    template_index: int


@dataclass(frozen=True, slots=True)
class Candidate:
    """An entry that the traveler may be. One of `face`, `number` and `name` is set, as `kind` says.

    `suppressed` is the suppression of this pair that is in force; `pair` what ProposeSuppression takes.
    """

    entry_id: str
    kind: MatchKind
    face: FaceScore | None = None
    number: NumberMatch | None = None
    name: NameMatch | None = None
    odds: AlertOdds | None = None
    suppressed: Suppression | None = None
    pair: bytes = b""


@dataclass(frozen=True, slots=True)
class ListResult:
    """The answer of one list: faces by falling score, then documents, then names; empty means nobody.

    `left_out` is how many more candidates there are than an answer holds.
    """

    state: ListState
    threshold: FaceThreshold | None
    name_threshold: NameThreshold | None
    entries_searched: int
    candidates: tuple[Candidate, ...]
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class SearchAnswer:
    """The answer of all lists, by priority, at one version of them all, which was the database's at `as_of`."""

    results: tuple[ListResult, ...]
    version: int
    searched_by: tuple[MatchKind, ...]
    as_of: datetime


def microseconds(time: datetime) -> int:
    """A time as microseconds since 1970 (UTC)."""
    return (time - EPOCH) // timedelta(microseconds=1)


def from_microseconds(stored: int) -> datetime:
    """The time that `microseconds` was made of."""
    return EPOCH + timedelta(microseconds=stored)
