"""Lists, entries, and the rules that tell whether an entry is searched and what makes it a candidate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum

import numpy as np
import numpy.typing as npt

from borderpost.runtime.calibration import MAX_FMR_TARGET, Calibration, FalseMatchRate, target_fmr
from borderpost.runtime.calls import Actor
from borderpost.runtime.names import to_mrz_letters

Vectors = npt.NDArray[np.float32]
"""Templates of one model: one row each, of length 1."""


class Category(Enum):
    """Why a list exists."""

    SECURITY = "security"
    WANTED = "wanted"
    MISSING_OR_VULNERABLE = "missing_or_vulnerable"
    IMMIGRATION = "immigration"
    DOCUMENT = "document"


class EntryState(Enum):
    """Where an entry stands at a given time. `EXPIRED` is never stored: the clock says it."""

    PROPOSED = "proposed"
    ACTIVE = "active"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Watchlist:
    """A list: whose, on what ground, and which rate of false alarms its face threshold aims at."""

    list_id: str
    name: str
    authority: str
    legal_basis: str
    category: Category
    priority: int
    handling_instruction: str
    target_fpir: float


@dataclass(frozen=True, slots=True)
class Model:
    """What templates must have in common to be compared."""

    model_id: str
    dimension: int


@dataclass(frozen=True, slots=True)
class Template:
    """A face: `dimension` little-endian float32 numbers of Euclidean length 1, as bytes."""

    model: Model
    values: bytes


@dataclass(frozen=True, slots=True)
class PersonName:
    """A name as documents write it: surname and given names."""

    primary_identifier: str
    secondary_identifier: str

    @property
    def key(self) -> tuple[str, str]:
        """What two same names have in common."""
        return to_mrz_letters(self.primary_identifier), to_mrz_letters(self.secondary_identifier)


@dataclass(frozen=True, slots=True)
class PartialDate:
    """A date; None is an unknown part."""

    year: int | None = None
    month: int | None = None
    day: int | None = None

    def may_be(self, other: PartialDate) -> bool:
        """Tell whether no known part differs: an unknown part matches any."""
        pairs = ((self.year, other.year), (self.month, other.month), (self.day, other.day))
        return all(a is None or b is None or a == b for a, b in pairs)


UNKNOWN_DATE = PartialDate()


@dataclass(frozen=True, slots=True)
class DocumentKey:
    """What identifies a travel document."""

    document_code: str
    issuing_state: str
    number: str

    @property
    def key(self) -> tuple[str, str, str]:
        """What two keys of the same document have in common.

        Of the code only the first letter counts: a state may choose the second (ICAO Doc 9303-4, 4.2.2).
        """
        return fold_code(self.document_code)[:1], fold_code(self.issuing_state), fold_code(self.number)


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


@dataclass(frozen=True, slots=True)
class Approval:
    """Who approved an entry, and the version of its list from which it is searched."""

    by: Actor
    version: int


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry as kept. `content.templates` is empty where an entry is only shown; the count stays true."""

    content: EntryContent
    template_count: int
    proposed_by: Actor
    approval: Approval | None = None

    def state(self, now: datetime) -> EntryState:
        """Where it stands at `now`."""
        if now >= self.content.valid_until:
            return EntryState.EXPIRED
        return EntryState.PROPOSED if self.approval is None else EntryState.ACTIVE

    def without_templates(self) -> Entry:
        """The same, to be shown: templates are taken in and never given out."""
        return replace(self, content=replace(self.content, templates=()))


@dataclass(frozen=True, slots=True)
class ListState:
    """A list with its version and the time of its last change."""

    watchlist: Watchlist
    version: int
    changed_at: datetime


class ChangeKind(Enum):
    """What can happen to the lists."""

    WATCHLIST_CREATED = "watchlist_created"
    ENTRY_PROPOSED = "entry_proposed"
    ENTRY_APPROVED = "entry_approved"
    ENTRY_REMOVED = "entry_removed"


@dataclass(frozen=True, slots=True)
class ChangeEvent:
    """A change, for the decision log. It holds ids only; `entry_id` is None for a list."""

    event_id: str
    kind: ChangeKind
    time: datetime
    actor: Actor
    purpose: str
    list_id: str
    entry_id: str | None
    version: int


@dataclass(frozen=True, slots=True)
class FaceThreshold:
    """The score from which a face is a candidate on one list; None where the list has no template to compare."""

    model_id: str
    templates: int
    score: float | None
    supported: bool
    calibration_id: str


@dataclass(frozen=True, slots=True)
class ListSummary:
    """A list with what is on it at a given time."""

    state: ListState
    active_entries: int
    proposed_entries: int
    thresholds: tuple[FaceThreshold, ...]


@dataclass(frozen=True, slots=True)
class SearchQuery:
    """Who is looked for: at least one of templates (all of one model), document and name."""

    templates: tuple[Template, ...] = ()
    document: DocumentKey | None = None
    name: PersonName | None = None
    birth_date: PartialDate = UNKNOWN_DATE
    min_version: int = 0


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
    """An entry that the traveler may be. `score` is set for a face."""

    entry_id: str
    kind: MatchKind
    score: FaceScore | None = None


@dataclass(frozen=True, slots=True)
class ListResult:
    """The answer of one list: faces by falling score, then documents, then names; empty means nobody."""

    state: ListState
    threshold: FaceThreshold | None
    entries_searched: int
    candidates: tuple[Candidate, ...]


@dataclass(frozen=True, slots=True)
class SearchAnswer:
    """The answer of all lists, by priority, at one version of them all."""

    results: tuple[ListResult, ...]
    version: int
    searched_by: tuple[MatchKind, ...]


def face_threshold(calibration: Calibration, fpir: float, templates: int, probes: int) -> FaceThreshold:
    """The threshold of a list with `templates` templates for a search with `probes` of them.

    Every template of the list is compared with every one of the search, so templates × probes comparisons
    can alarm. A rate above MAX_FMR_TARGET takes the threshold of that one, which is stricter.

    The calibration's safety factor stays out: the target is a rate over all travelers, an officer sees every
    alarm, and a stricter threshold would miss those who are listed. Who must keep the target in the worst group
    divides it by that factor.
    """
    if templates == 0:
        return FaceThreshold(calibration.model_id, 0, None, True, calibration.id)
    threshold = calibration.mean_threshold_at(min(target_fmr(fpir, templates * probes), MAX_FMR_TARGET))
    return FaceThreshold(
        calibration.model_id, templates, threshold.score, threshold.supported, calibration.id
    )


def to_vectors(templates: Sequence[Template], dimension: int) -> Vectors:
    """Templates of one model as rows: N × dimension float32."""
    joined = b"".join(template.values for template in templates)
    return np.frombuffer(joined, dtype="<f4").astype(np.float32).reshape(len(templates), dimension)


def fold_code(text: str) -> str:
    """Turn a document code, state or number into upper case, without fillers and spaces."""
    return "".join(text.upper().replace("<", "").split())
