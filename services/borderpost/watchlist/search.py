"""Searching a view: every list by face, document and name. Pure; the same view, query and time give the same answer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

import numpy as np

from borderpost.runtime.calibration import Calibration
from borderpost.watchlist.domain import (
    Candidate,
    FaceScore,
    FaceThreshold,
    ListResult,
    MatchKind,
    SearchAnswer,
    SearchQuery,
    Vectors,
    face_threshold,
    to_vectors,
)
from borderpost.watchlist.ports import Pairs
from borderpost.watchlist.view import Faces, ListView, SearchedEntry, View, microseconds


def search(
    view: View, query: SearchQuery, now: datetime, calibrations: Mapping[str, Calibration]
) -> SearchAnswer:
    """All candidates of all lists. Exact: every template of the query against every one that is searched."""
    at = microseconds(now)
    lists = sorted(view.lists.values(), key=_by_priority)
    results = tuple(_search_list(each, query, at, calibrations) for each in lists)
    return SearchAnswer(results, view.version, tuple(_searched_by(lists, query, at, calibrations)))


def _by_priority(each: ListView) -> tuple[int, str, str]:
    watchlist = each.state.watchlist
    return watchlist.priority, watchlist.name, watchlist.list_id


def _searched_by(
    lists: list[ListView], query: SearchQuery, now: int, calibrations: Mapping[str, Calibration]
) -> Iterable[MatchKind]:
    if query.templates and all(_faces_covered(each, query, now, calibrations) for each in lists):
        yield MatchKind.FACE
    if query.document is not None:
        yield MatchKind.DOCUMENT
    if query.name is not None:
        yield MatchKind.NAME


def _faces_covered(
    each: ListView, query: SearchQuery, now: int, calibrations: Mapping[str, Calibration]
) -> bool:
    """Tell whether every searched entry that has a face has one that the query's can be compared with."""
    model = query.templates[0].model
    compared = np.zeros(len(each.entries), dtype=np.bool_)
    if model in each.faces and model.model_id in calibrations:
        compared[each.faces[model].entry_of] = True
    return not bool((each.valid(now) & each.has_face & ~compared).any())


def _search_list(
    each: ListView, query: SearchQuery, now: int, calibrations: Mapping[str, Calibration]
) -> ListResult:
    threshold, faces = _search_faces(each, query, now, calibrations)
    candidates = (*faces, *_search_document(each, query, now), *_search_name(each, query, now))
    return ListResult(each.state, threshold, int(each.valid(now).sum()), candidates)


def _search_faces(
    each: ListView, query: SearchQuery, now: int, calibrations: Mapping[str, Calibration]
) -> tuple[FaceThreshold | None, list[Candidate]]:
    if not query.templates or query.templates[0].model.model_id not in calibrations:
        return None, []
    model = query.templates[0].model
    calibration = calibrations[model.model_id]
    faces = each.faces.get(model)
    searched = each.valid(now)[faces.entry_of] if faces else np.empty(0, np.bool_)
    threshold = face_threshold(
        calibration, each.state.watchlist.target_fpir, int(searched.sum()), len(query.templates)
    )
    if faces is None or threshold.score is None:
        return threshold, []
    probes: Vectors = to_vectors(query.templates, model.dimension)
    pairs = faces.index.at_least(probes, np.full(len(probes), threshold.score))
    keep = searched[pairs.rows]
    found = Pairs(pairs.probes[keep], pairs.rows[keep], pairs.scores[keep])
    return threshold, _best_of_each(each, faces, found, calibration)


def _best_of_each(each: ListView, faces: Faces, pairs: Pairs, calibration: Calibration) -> list[Candidate]:
    """One candidate for each entry, from its best pair; the best entries first."""
    found = sorted(
        (-float(score), each.entries[faces.entry_of[row]].entry_id, int(probe))
        for score, row, probe in zip(pairs.scores, pairs.rows, pairs.probes, strict=True)
    )
    best: dict[str, Candidate] = {}
    for negative, entry_id, probe in found:
        if entry_id not in best:
            best[entry_id] = Candidate(entry_id, MatchKind.FACE, _score(-negative, probe, calibration))
    return list(best.values())


def _score(value: float, probe: int, calibration: Calibration) -> FaceScore:
    return FaceScore(value, calibration.fmr_at(value), calibration.id, probe)


def _search_document(each: ListView, query: SearchQuery, now: int) -> list[Candidate]:
    if query.document is None:
        return []
    return _candidates(each.by_document.get(query.document.key, ()), MatchKind.DOCUMENT, now)


def _search_name(each: ListView, query: SearchQuery, now: int) -> list[Candidate]:
    if query.name is None:
        return []
    same_name = each.by_name.get(query.name.key, ())
    found = (entry for entry in same_name if entry.birth_date.may_be(query.birth_date))
    return _candidates(found, MatchKind.NAME, now)


def _candidates(entries: Iterable[SearchedEntry], kind: MatchKind, now: int) -> list[Candidate]:
    ids = sorted(entry.entry_id for entry in entries if entry.is_valid(now))
    return [Candidate(entry_id, kind) for entry_id in ids]
