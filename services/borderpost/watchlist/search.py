"""Searching a view: every list that the caller may search, by face, document and name.

Several queries are answered together, so that their templates pass over the lists once. Each is answered as if it
were alone: the same view, query and time give the same answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, TypeVar

import numpy as np
import numpy.typing as npt

from borderpost.runtime.calibration import Calibration
from borderpost.watchlist.domain import (
    Candidate,
    FaceScore,
    ListResult,
    MatchKind,
    NameThreshold,
    SearchAnswer,
    SearchQuery,
    Suppression,
    SuppressionState,
    Watchlist,
    microseconds,
)
from borderpost.watchlist.names import NameCalibration, NameMatch
from borderpost.watchlist.numbers import NumberMatch
from borderpost.watchlist.templates import Model, Template, Vectors, digest, to_vectors
from borderpost.watchlist.thresholds import FaceThreshold, alert_odds, face_threshold, fpir_of, odds_at
from borderpost.watchlist.view import BlockView, Faces, ListView, View

T = TypeVar("T")

LIST_SCOPE: Final = "list:"
"""A scope that opens one list; a caller with such scopes may search no other."""

SAME_HOLDER_FMR: Final = 1e-3
"""False-match rate at which the traveler must be the holder that a suppression is about: that of the 1:1 check of live
face and document (Frontex, Best Practice Technical Guidelines for ABC Systems: at most one in a thousand)."""


MOST_CANDIDATES: Final = 100
"""Of one kind on one list in an answer. More are counted: whoever lists one person a thousand times must not make
answers that nobody can take."""


@dataclass(frozen=True, slots=True)
class Found:
    """A pair that a search found, for a suppression to name."""

    list_id: str
    entry_id: str
    entry_sha256: bytes


Seal = Callable[[Found, SearchQuery], bytes]
"""Makes `Candidate.pair`."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """What scores mean: calibrations by model id, and that of names."""

    faces: Mapping[str, Calibration]
    names: NameCalibration


@dataclass(frozen=True, slots=True)
class _Face:
    """The best pair of one entry with one query's templates."""

    entry_id: str
    score: float
    probe: int


def search(
    view: View, queries: Sequence[SearchQuery], now: datetime, as_of: datetime, meaning: Meaning, seal: Seal
) -> list[SearchAnswer]:
    """The answer to each query. `as_of` is when the view was last known to be the database's state."""
    lists = sorted(view.lists.values(), key=_by_priority)
    opened = [[each for each in lists if _may_search(each, query, now)] for query in queries]
    results: list[list[ListResult]] = [[] for _ in queries]
    openers: dict[str, list[int]] = {}
    for place, own in enumerate(opened):
        for each in own:
            openers.setdefault(each.state.watchlist.list_id, []).append(place)
    for each in lists:
        asking = openers.get(each.state.watchlist.list_id, [])
        answers = _search_list(each, [queries[place] for place in asking], now, meaning, seal)
        for place, answer in zip(asking, answers, strict=True):
            results[place].append(answer)
    return [
        SearchAnswer(
            tuple(answer), view.version, tuple(_searched_by(own, query, now, meaning)), min(as_of, now)
        )
        for answer, own, query in zip(results, opened, queries, strict=True)
    ]


def may_use(watchlist: Watchlist, scopes: frozenset[str]) -> bool:
    """Tell whether scopes open a list: those that name lists must name it; a caller without such is not limited."""
    named = {scope.removeprefix(LIST_SCOPE) for scope in scopes if scope.startswith(LIST_SCOPE)}
    return not named or watchlist.list_id in named


def as_the_list_asks(suppression: Suppression, watchlist: Watchlist) -> Suppression:
    """A suppression as it counts now: a list that has come to ask for two people asks it of earlier ones, too."""
    return replace(suppression, needed=max(suppression.needed, watchlist.suppression_people))


def _may_search(each: ListView, query: SearchQuery, now: datetime) -> bool:
    watchlist = each.state.watchlist
    asked = not query.list_ids or watchlist.list_id in query.list_ids
    here = query.crossing is None or not watchlist.crossings or query.crossing in watchlist.crossings
    return asked and here and watchlist.is_in_force(now) and may_use(watchlist, query.scopes)


def _by_priority(each: ListView) -> tuple[int, str, str]:
    watchlist = each.state.watchlist
    return watchlist.priority, watchlist.name, watchlist.list_id


def _searched_by(
    lists: Sequence[ListView], query: SearchQuery, now: datetime, meaning: Meaning
) -> Iterator[MatchKind]:
    at = microseconds(now)
    if query.templates and all(_faces_covered(each, query, at, meaning) for each in lists):
        yield MatchKind.FACE
    if query.document is not None:
        yield MatchKind.DOCUMENT
    if query.name is not None:
        yield MatchKind.NAME


def _faces_covered(each: ListView, query: SearchQuery, at: int, meaning: Meaning) -> bool:
    """Tell whether every searched entry that has a face has one that the query's can be compared with."""
    model = query.templates[0].model
    compared = each.faces_searched(model, at) if model.model_id in meaning.faces else 0
    return compared == each.with_face(at)


def _search_list(
    each: ListView, queries: Sequence[SearchQuery], now: datetime, meaning: Meaning, seal: Seal
) -> list[ListResult]:
    at = microseconds(now)
    thresholds = [_face_threshold(each, query, at, meaning) for query in queries]
    faces = _search_faces(each, queries, thresholds, at)
    searched = each.entries_searched(at)
    return [
        _list_result(_Asked(each, query, now, meaning, seal), threshold, own, searched)
        for query, threshold, own in zip(queries, thresholds, faces, strict=True)
    ]


@dataclass(frozen=True, slots=True)
class _Asked:
    """One query to one list."""

    each: ListView
    query: SearchQuery
    now: datetime
    meaning: Meaning
    seal: Seal

    @property
    def at(self) -> int:
        """The time, in microseconds."""
        return microseconds(self.now)

    @property
    def watchlist(self) -> Watchlist:
        """The list."""
        return self.each.state.watchlist


def _list_result(
    asked: _Asked, threshold: FaceThreshold | None, faces: Sequence[_Face], searched: int
) -> ListResult:
    names = _name_threshold(asked)
    documents, named = _documents_found(asked), _names_found(asked, names)
    marks = _Marks(asked)
    shown = (
        *(
            _face_candidate(asked, threshold, face, marks.of(face.entry_id))
            for face in _shown(faces, marks, lambda face: face.entry_id)
            if threshold is not None
        ),
        *(
            Candidate(entry_id, MatchKind.DOCUMENT, number=match)
            for entry_id, match in documents[:MOST_CANDIDATES]
        ),
        *(
            _name_candidate(asked, entry_id, match, names, marks.of(entry_id))
            for entry_id, match in _shown(named, marks, lambda item: item[0])
            if names is not None
        ),
    )
    left_out = len(faces) + len(documents) + len(named) - len(shown)
    return ListResult(asked.each.state, threshold, names, searched, shown, left_out)


class _Marks:
    """Which of a list's entries are suppressed for one traveler."""

    def __init__(self, asked: _Asked) -> None:
        self._asked = asked
        self._known: dict[str, Suppression | None] = {}

    def of(self, entry_id: str) -> Suppression | None:
        """The suppression of the pair that is in force, if there is one."""
        if entry_id not in self._known:
            self._known[entry_id] = _suppression(self._asked, entry_id)
        return self._known[entry_id]


def _shown(found: Sequence[T], marks: _Marks, entry_of: Callable[[T], str]) -> list[T]:
    """The best of what was found, in its order; suppressed ones must not take the place of others."""
    if len(found) <= MOST_CANDIDATES:
        return list(found)
    first = sorted(range(len(found)), key=lambda place: marks.of(entry_of(found[place])) is not None)
    return [found[place] for place in sorted(first[:MOST_CANDIDATES])]


def _face_threshold(each: ListView, query: SearchQuery, at: int, meaning: Meaning) -> FaceThreshold | None:
    if not query.templates or query.templates[0].model.model_id not in meaning.faces:
        return None
    model = query.templates[0].model
    measured = each.measured.get(model.model_id)
    return face_threshold(
        meaning.faces[model.model_id],
        each.state.watchlist.target_fpir,
        each.templates_searched(model, at),
        each.faces_searched(model, at),
        len(query.templates),
        measured.own if measured else None,
    )


def _search_faces(
    each: ListView, queries: Sequence[SearchQuery], thresholds: Sequence[FaceThreshold | None], at: int
) -> list[list[_Face]]:
    """For each query its entries that reach its threshold, the best first."""
    found: list[list[_Face]] = [[] for _ in queries]
    asking: dict[Model, list[int]] = {}
    for place, (query, threshold) in enumerate(zip(queries, thresholds, strict=True)):
        if threshold is not None and threshold.score is not None:
            asking.setdefault(query.templates[0].model, []).append(place)
    for model, places in asking.items():
        probes = _probes([queries[place] for place in places], model)
        scores = np.array([thresholds[place].score for place in places for _ in queries[place].templates])  # type: ignore[union-attr]  # those that have one
        owner = np.array([place for place in places for _ in queries[place].templates], np.int64)
        first = {place: int(np.argmax(owner == place)) for place in places}
        for block in each.blocks:
            faces = block.block.faces.get(model)
            if faces is not None:
                for probe, face in _in_block(block, faces, probes, scores, at):
                    place = int(owner[probe])
                    found[place].append(_Face(face.entry_id, face.score, probe - first[place]))
    return [_best_of_each(faces) for faces in found]


def _probes(queries: Iterable[SearchQuery], model: Model) -> Vectors:
    return to_vectors([template for query in queries for template in query.templates], model.dimension)


def _in_block(
    block: BlockView, faces: Faces, probes: Vectors, scores: npt.NDArray[np.float64], at: int
) -> Iterator[tuple[int, _Face]]:
    pairs = faces.index.at_least(probes, scores)
    places = faces.entry_of[pairs.rows]
    keep = block.searched(places, at)
    ids = block.block.entries.entry_ids
    for probe, place, score in zip(pairs.probes[keep], places[keep], pairs.scores[keep], strict=True):
        yield int(probe), _Face(ids[place], float(score), int(probe))


def _best_of_each(faces: Iterable[_Face]) -> list[_Face]:
    best: dict[str, _Face] = {}
    for face in sorted(faces, key=lambda face: (-face.score, face.entry_id, face.probe)):
        best.setdefault(face.entry_id, face)
    return list(best.values())


def _face_candidate(
    asked: _Asked, threshold: FaceThreshold, face: _Face, suppressed: Suppression | None
) -> Candidate:
    calibration = asked.meaning.faces[threshold.model_id]
    score = FaceScore(face.score, calibration.fmr_at(face.score), calibration.id, face.probe)
    odds = alert_odds(
        calibration, face.score, threshold, len(asked.query.templates), asked.watchlist.base_rate
    )
    return Candidate(
        face.entry_id,
        MatchKind.FACE,
        face=score,
        odds=odds,
        suppressed=suppressed,
        pair=_pair(asked, face.entry_id),
    )


def _documents_found(asked: _Asked) -> list[tuple[str, NumberMatch]]:
    """Entries with the document, first those with the very number."""
    if asked.query.document is None:
        return []
    found: dict[str, NumberMatch] = {}
    for block in asked.each.blocks:
        for place, match in block.block.numbers.find(asked.query.document):
            if block.is_searched(place, asked.at):
                entry_id = block.block.entries.entry_ids[place]
                if match.exact or entry_id not in found:
                    found[entry_id] = match
    return sorted(found.items(), key=lambda item: (not item[1].exact, item[0]))


def _name_threshold(asked: _Asked) -> NameThreshold | None:
    if asked.query.name is None:
        return None
    return name_threshold(asked.each, asked.at, asked.meaning.names)


def name_threshold(each: ListView, at: int, calibration: NameCalibration) -> NameThreshold:
    """The name score from which a name is a candidate on a list, for the names that it holds at a time."""
    names = each.names_searched(at)
    threshold = calibration.threshold_at(each.state.watchlist.name_target_fpir, names)
    return NameThreshold(threshold.score, threshold.supported, names, calibration.id)


def _names_found(asked: _Asked, threshold: NameThreshold | None) -> list[tuple[str, NameMatch]]:
    """Entries with a name that reaches the threshold, each with its best, the best first."""
    if asked.query.name is None or threshold is None or not threshold.names:
        return []
    best: dict[str, NameMatch] = {}
    for block in asked.each.blocks:
        matches = block.block.names.at_least(asked.query.name, asked.query.birth_date, threshold.score)
        searched = block.searched(np.array([place for place, _ in matches], np.int64), asked.at)
        for (place, match), counts in zip(matches, searched, strict=True):
            entry_id = block.block.entries.entry_ids[place]
            if counts and (entry_id not in best or match.score > best[entry_id].score):
                best[entry_id] = match
    return sorted(best.items(), key=lambda item: (-item[1].score, item[0]))


def _name_candidate(
    asked: _Asked, entry_id: str, match: NameMatch, threshold: NameThreshold, suppressed: Suppression | None
) -> Candidate:
    rate = asked.meaning.names.fmr_at(match.score)
    fpir = fpir_of(rate.rate, threshold.names)
    odds = odds_at(fpir, asked.watchlist.base_rate, is_bound=rate.is_upper_bound)
    return Candidate(
        entry_id,
        MatchKind.NAME,
        name=match,
        odds=odds,
        suppressed=suppressed,
        pair=_pair(asked, entry_id),
    )


def _suppression(asked: _Asked, entry_id: str) -> Suppression | None:
    """The suppression of this pair that is in force: same document, same holder, the entry's templates unchanged."""
    document = asked.query.document
    kept = asked.each.suppressions.get(entry_id, ())
    if document is None or not kept:
        return None
    entry_sha256 = digest(asked.each.templates_of(entry_id))
    for suppression in kept:
        each = as_the_list_asks(suppression, asked.watchlist)
        active = each.state(asked.now, entry_sha256) is SuppressionState.ACTIVE
        if active and each.document.key == document.key and _is_holder(asked, each):
            return each
    return None


def _is_holder(asked: _Asked, suppression: Suppression) -> bool:
    """Tell whether the traveler is the holder that the suppression is about.

    Every template of the traveler must be like one of the holder's: the portrait alone would let another bearer of the
    document pass.
    """
    return _are_one_person(asked.query.templates, suppression.holder, asked.meaning)


def _are_one_person(ours: Sequence[Template], theirs: Sequence[Template], meaning: Meaning) -> bool:
    """Tell whether each of our templates, at least one, is like one of theirs, at SAME_HOLDER_FMR."""
    if not ours or ours[0].model.model_id not in meaning.faces:
        return False
    model = ours[0].model
    theirs = [template for template in theirs if template.model == model]
    threshold = meaning.faces[model.model_id].threshold_at(SAME_HOLDER_FMR)
    if not theirs or not threshold.supported:
        return False
    cosines = to_vectors(ours, model.dimension) @ to_vectors(theirs, model.dimension).T
    return bool(cosines.max(axis=1).min() >= threshold.score)


def _pair(asked: _Asked, entry_id: str) -> bytes:
    """What ProposeSuppression takes; empty where nobody may suppress what was found.

    Only a kiosk's search has a traveler before it. And a document is its bearer's only if all their templates are one
    person's: or an impostor's suppression would be one of the document's true holder, too.
    """
    query = asked.query
    if query.crossing is None or query.document is None:
        return b""
    first = query.templates[:1]
    if not all(_are_one_person((each,), first, asked.meaning) for each in query.templates) or not first:
        return b""
    entry_sha256 = digest(asked.each.templates_of(entry_id))
    return asked.seal(Found(asked.watchlist.list_id, entry_id, entry_sha256), query)
