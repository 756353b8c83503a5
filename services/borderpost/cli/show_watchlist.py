"""How lists, their entries and their statistics look."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from rich.table import Table
from rich.text import Text

from borderpost.cli import show
from borderpost.v1 import watchlist_pb2

DEFAULT_BASE_RATE: Final = 1e-5
DEFAULT_PEOPLE: Final = 2
"""What holds for a list that says nothing (watchlist.proto)."""

LEAST_ENTRIES: Final = 25
"""Entries with a face from which the service measures a list (watchlist/measuring.py)."""

TOO_SMALL: Final = f"too small to measure: fewer than {LEAST_ENTRIES} entries with a face"

CALIBRATION_DIGITS: Final = 12
"""Of a calibration's id, which is a digest: enough to tell calibrations apart; `--json` has all."""

SHOWN_ALIKE: Final = 10
"""Pairs of entries that the page of statistics names; `--json` has all."""


def lists_view(lists: Iterable[watchlist_pb2.WatchlistStatus]) -> Table:
    """Show watchlists."""
    rows = show.table("list", "entries", "face threshold", id_column=0)
    rows.columns[0].width = show.ID_WIDTH  # of a narrow terminal, the thresholds get what is left
    for status in lists:
        watchlist = status.watchlist
        name = Text.assemble(
            (watchlist.name, "bold"), f"\n{watchlist.authority}\n", (watchlist.list_id, "dim")
        )
        entries = f"{status.active_entries:,} active\n{status.proposed_entries:,} proposed"
        thresholds = [threshold_words(threshold, watchlist.target_fpir) for threshold in status.thresholds]
        rows.add_row(name, entries, "\n".join(thresholds) or "no templates yet")
    return rows


def threshold_words(threshold: watchlist_pb2.FaceThreshold, target: float) -> str:
    """Say what a list's face threshold is and whether it keeps the target."""
    if not threshold.HasField("score"):
        return f"{threshold.model_id}: no templates yet"
    at = show.count(threshold.templates, "template")
    said = f"{threshold.model_id}:\n{threshold.score:.3f} at {at}"
    if threshold.target_supported:
        return f"{said}\nfor {show.percent(target)} false alarms"
    return f"{said}\n{unsupported_words(threshold, target)}"


def unsupported_words(threshold: watchlist_pb2.FaceThreshold, target: float) -> str:
    """Say that a model can't keep a list's target, and what to expect instead."""
    expected = (
        f"expect up to {show.percent(threshold.expected_fpir)}"
        if threshold.HasField("expected_fpir")
        else "expect more"
    )
    return f"this model can't hold {show.percent(target)} at {threshold.templates:,} templates: {expected}"


def statistics_view(answer: watchlist_pb2.GetStatisticsResponse) -> Table:
    """Show everything about the state of one list, on one page."""
    status, watchlist = answer.status, answer.status.watchlist
    rows = show.pairs()
    rows.add_row("list", f"{watchlist.name}\n{watchlist.list_id}")
    for name, words in description_rows(watchlist):
        rows.add_row(name, words)
    rows.add_row(
        "entries",
        f"{status.active_entries:,} active, {status.proposed_entries:,} proposed, {status.ended_entries:,} ended and "
        "still kept",
    )
    rows.add_row(
        "searched",
        f"{show.count(answer.names, 'name')}, {show.count(answer.documents, 'document')}; "
        f"{show.count(answer.suppressions, 'suppression')} in force",
    )
    for threshold in status.thresholds:
        rows.add_row(f"face, {threshold.model_id}", "\n".join(_face_lines(threshold, watchlist.target_fpir)))
    if not status.thresholds:
        rows.add_row("face", "no templates yet")
    for own in answer.own_scores:
        rows.add_row(f"own scores, {own.model_id}", own_words(own))
    if not answer.own_scores:
        few = min(status.active_entries, sum(each.templates for each in status.thresholds)) < LEAST_ENTRIES
        rows.add_row("own scores", TOO_SMALL if few else f"not measured yet, or {TOO_SMALL}")
    if answer.HasField("name_threshold"):
        target = watchlist.name_target_fpir or watchlist.target_fpir
        rows.add_row("names", name_threshold_words(answer.name_threshold, target))
    rows.add_row(
        "index",
        f"{show.count(answer.blocks, 'block')}, {show.count(answer.tombstones, 'template')} removed and not yet "
        "merged away",
    )
    rows.add_row(
        "version",
        f"{status.version} of {show.when(status.changed_at)} UTC; all lists together {answer.index_version}, as of "
        f"{show.when(answer.as_of)} UTC",
    )
    return rows


def description_rows(watchlist: watchlist_pb2.Watchlist) -> list[tuple[str, str]]:
    """Return what is said of a list, as names and words."""
    category = show.name_of(watchlist_pb2.WatchlistCategory, watchlist.category, "WATCHLIST_CATEGORY_")
    begin = show.when(watchlist.valid_from)[:10] if watchlist.HasField("valid_from") else "its making"
    end = show.when(watchlist.valid_until)[:10] if watchlist.HasField("valid_until") else "it is changed"
    base = show.one_in(watchlist.assumed_base_rate or DEFAULT_BASE_RATE)
    days = watchlist.retention_days
    return [
        ("authority", f"{watchlist.authority}; {watchlist.legal_basis}"),
        ("what for", f"{category.replace('_', ' ').lower()}, priority {watchlist.priority}"),
        ("a hit", watchlist.handling_instruction),
        ("in force", f"from {begin} until {end}; at {', '.join(watchlist.crossings) or 'all crossings'}"),
        ("an ended entry", f"is removed after {show.count(days, 'day')}" if days else "is removed at once"),
        ("assumed", f"{base} travelers is on it"),
        ("suppression", f"takes {show.count(watchlist.suppression_people or DEFAULT_PEOPLE, 'officer')}"),
    ]


def _face_lines(threshold: watchlist_pb2.FaceThreshold, target: float) -> Iterable[str]:
    if not threshold.HasField("score"):
        yield "no templates yet"
        return
    templates = show.count(threshold.templates, "template")
    yield f"threshold {threshold.score:.4f} at {templates}, by {_calibration(threshold)}"
    if threshold.target_supported:
        yield f"the target of {show.percent(target)} false alarms per traveler is kept"
    else:
        yield unsupported_words(threshold, target)
    one = round(threshold.comparisons) == 1
    yield f"a search counts as {threshold.comparisons:,.0f} comparison{'' if one else 's'}"
    if threshold.HasField("factor"):
        yield factor_words(threshold.factor)
    else:
        yield "its own scores were not measured, or it is too small to tell"


def factor_words(factor: float) -> str:
    """Say how a list's own false matches compare with the calibration's."""
    return f"two of its entries match falsely {factor:.2f} times as often as the calibration says of two pictures"


def own_words(own: watchlist_pb2.OwnScores) -> str:
    """Say what a list's own templates, compared with one another, came to."""
    lines = [
        f"{own.comparisons:,} comparisons of {show.count(own.templates, 'template')} of "
        f"{show.count(own.entries, 'entry', 'entries')}, at version {own.version}, {show.when(own.measured_at)} UTC"
    ]
    if own.HasField("factor"):
        lines.append(f"{own.reaching:,} reached {own.score:.4f}: {factor_words(own.factor)}")
    else:
        lines.append("too few are alike to tell how often two of its entries match falsely")
    if own.alike:
        lines.append(f"{show.count(len(own.alike), 'pair')} of entries may be one person:")
    lines += [
        f"  {pair.entry_id} and {pair.other_entry_id}: {pair.score.value:.3f}"
        for pair in own.alike[:SHOWN_ALIKE]
    ]
    if len(own.alike) > SHOWN_ALIKE:
        lines.append(f"  and {len(own.alike) - SHOWN_ALIKE} more (--json has all)")
    return "\n".join(lines)


def name_threshold_words(threshold: watchlist_pb2.NameThreshold, target: float) -> str:
    """Say what a list's name threshold is and whether it keeps the target."""
    kept = (
        f"the target of {show.percent(target)} false alarms per traveler is kept"
        if threshold.target_supported
        else f"the calibration can't hold {show.percent(target)} at {threshold.names:,} names: expect more"
    )
    names = show.count(threshold.names, "name")
    return f"threshold {threshold.score:.2f} at {names}, by {_calibration(threshold)}\n{kept}"


def _calibration(threshold: watchlist_pb2.FaceThreshold | watchlist_pb2.NameThreshold) -> str:
    return f"calibration {threshold.calibration_id[:CALIBRATION_DIGITS]}"
