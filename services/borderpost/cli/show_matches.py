"""How watchlist candidates look to an officer: what agreed, how, and what such an alert is worth."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from rich.table import Table

from borderpost.cli import show
from borderpost.runtime import rates
from borderpost.v1 import types_pb2, watchlist_pb2

_PART_WORDS: Final = {
    "EXACT": "same letters",
    "SPELLING": "another spelling that ICAO 9303-3 allows",
    "CUT": "cut by the machine readable zone",
    "INITIAL": "an initial",
    "EDIT": "a letter or two otherwise",
    "PHONETIC": "sounds alike",
    "MISSING_HERE": "not in the traveler's name",
    "MISSING_THERE": "not in the entry's name",
}
_DATE_WORDS: Final = {
    "SAME": "birth dates are the same",
    "POSSIBLE": "birth dates agree as far as they are known",
    "SWAPPED": "birth dates are the same with day and month exchanged",
    "NEAR": "birth dates differ by one digit or unit",
    "DIFFERENT": "birth dates differ",
    "UNKNOWN": "a birth date is not known",
}
_KIND_WORDS: Final = {"FACE": "face", "DOCUMENT": "document", "NAME": "name"}


def candidate_blocks(result: watchlist_pb2.ListResult) -> list[str]:
    """Say of each entry that a list found, in the answer's order, which it is, in what ways, and what to do."""
    ways: dict[str, list[watchlist_pb2.Candidate]] = {}
    for candidate in result.candidates:
        ways.setdefault(candidate.entry_id, []).append(candidate)
    return [_block(entry_id, found, result) for entry_id, found in ways.items()]


def _block(entry_id: str, found: Sequence[watchlist_pb2.Candidate], result: watchlist_pb2.ListResult) -> str:
    lines = [f"list “{result.watchlist.name}”", f"entry {entry_id}"]
    marks = [each.suppressed.suppression_id for each in found]
    alike = len(set(marks)) == 1  # then the mark, if there is one, is said once for all ways
    for each in found:
        lines += way_lines(each, result)
        if each.HasField("suppressed") and not alike:
            lines.append(suppressed_words(each.suppressed))
    if alike and found[0].HasField("suppressed"):
        lines.append(suppressed_words(found[0].suppressed))
    is_open = any(not each.HasField("suppressed") for each in found)
    if is_open and result.watchlist.handling_instruction:
        lines.append(f"→ {result.watchlist.handling_instruction}")
    return "\n".join(lines)


def way_lines(candidate: watchlist_pb2.Candidate, result: watchlist_pb2.ListResult) -> list[str]:
    """Say in what way an entry was found, and how likely by chance."""
    lines = []
    if candidate.HasField("score"):
        lines.append(show.score_words(candidate.score, result.threshold.score, " for this search"))
    if candidate.HasField("name"):
        lines += name_lines(candidate.name, result.name_threshold)
    if candidate.HasField("number"):
        lines.append(number_words(candidate.number))
    if candidate.HasField("odds"):
        lines.append(odds_words(candidate.odds))
    kind = show.name_of(watchlist_pb2.MatchKind, candidate.kind, "MATCH_KIND_").lower()
    return [": ".join([f"by {kind}", *lines[:1]]), *lines[1:]]


def odds_words(odds: watchlist_pb2.AlertOdds) -> str:
    """Say what an alert is worth, at best: the more of those listed a search misses, the fewer alerts are right."""
    base = f"{show.one_in(odds.assumed_base_rate)} travelers" if odds.assumed_base_rate > 0 else "nobody"
    right, others = _right(odds.probability), f"{show.percent(odds.fpir)} of the others give such an alert"
    if odds.is_bound:  # the calibration says less than the score does
        return f"{right}, or more of them: were nobody missed, and {base} on this list; at most {others}"
    return f"{right}, at best: were nobody missed, and {base} on this list; {others}"


def _right(probability: float) -> str:
    """Say how many alerts are right, never more than there are."""
    if probability > rates.EVEN:
        return f"about {rates.right_percent(probability)} % of such alerts are right"
    if probability <= 0:
        return "no such alert is right"
    return f"about 1 in {rates.right_in(probability):,} such alerts is right"


def name_lines(match: watchlist_pb2.NameMatch, threshold: watchlist_pb2.NameThreshold) -> list[str]:
    """Say part by part how two names agree, and how often those of different people do."""
    parts = [_part_words(part) for part in match.parts]
    sides = ["  the traveler's / the list's:"] if parts else []
    order = ["surname and given names stand the other way round"] if match.swapped else []
    dates = show.name_of(watchlist_pb2.DateAgreement, match.birth_date, "DATE_AGREEMENT_")
    rate = "how often different people agree like this is not known"
    if match.fmr > 0:
        bound = "at most " if match.fmr_is_upper_bound else "about "
        rate = f"{bound}{show.one_in(match.fmr)} pairs of different people agree like this"
    said = f"name score {match.score:.2f} (threshold {threshold.score:.2f}): {rate}"
    return [said, *sides, *parts, *order, _DATE_WORDS.get(dates, dates.lower())]


def _part_words(part: watchlist_pb2.PartMatch) -> str:
    agreement = show.name_of(watchlist_pb2.PartAgreement, part.agreement, "PART_AGREEMENT_")
    return f"  {part.given or '–'} / {part.listed or '–'}: {_PART_WORDS.get(agreement, agreement.lower())}"


def number_words(match: watchlist_pb2.NumberMatch) -> str:
    """Say how two document numbers agree."""
    if match.exact:
        return "the document number is the listed one"
    return (
        f"the document number differs in character {match.position + 1}: {match.given} here, {match.listed} on the "
        "list, which readers take for one another"
    )


def suppressed_words(mark: watchlist_pb2.SuppressionMark) -> str:
    """Say that a pair is suppressed."""
    return (
        f"SUPPRESSED until {show.when(mark.expires_at)[:10]}: officers found that the document's holder is not this "
        f"person (suppression {mark.suppression_id})"
    )


def search_view(
    answer: watchlist_pb2.SearchResponse, asked: Iterable[str], missing: Sequence[str] = ()
) -> Table:
    """Show what a search found, list by list.

    `asked`: by what kinds ("NAME") it was meant to be made. `missing`: what the name was given without, in words: a
    list that found nobody by a name without it may hold the person all the same.
    """
    rows = show.pairs()
    if not answer.results:
        rows.add_row("nothing searched", "there is no list that you may search")
    for result in answer.results:
        entries = show.count(result.entries_searched, "entry", "entries")
        of = f"{entries}, version {result.version} of {show.when(result.changed_at)} UTC"
        rows.add_row("list", f"“{result.watchlist.name}”: {'' if result.candidates else 'nobody among '}{of}")
        for block in candidate_blocks(result):
            rows.add_row("candidate", block)
        if missing and all(each.kind != watchlist_pb2.MATCH_KIND_NAME for each in result.candidates):
            rows.add_row("by name", _common_words(missing))
        if result.candidates_left_out:
            rows.add_row(
                "not shown", show.count(result.candidates_left_out, "candidate more", "candidates more")
            )
    done = {show.name_of(watchlist_pb2.MatchKind, kind, "MATCH_KIND_") for kind in answer.searched_by}
    for kind in asked:
        if kind not in done:
            rows.add_row("NOT SEARCHED", f"by {_KIND_WORDS[kind]}")
    rows.add_row("as of", f"{show.when(answer.as_of)} UTC, version {answer.version} of all lists")
    return rows


def _common_words(missing: Sequence[str]) -> str:
    without, add = " and ".join(missing), " or ".join(missing)
    return f"a name without {without} can be too common for this list to alarm: add {add}"


def suppressions_view(suppressions: Iterable[watchlist_pb2.Suppression]) -> Table:
    """Show suppressions: who found what, and until when."""
    rows = show.table("suppression", "of", id_column=0)
    for each in suppressions:
        state = show.name_of(watchlist_pb2.SuppressionState, each.state, "SUPPRESSION_STATE_").lower()
        people = [f"proposed by {each.proposed_by.subject}, {show.when(each.proposed_at)}"]
        for said, actor in (("confirmed", each.confirmed_by), ("revoked", each.revoked_by)):
            people += [f"{said} by {actor.subject}"] if actor.subject else []
        until = f"{state}, {_end_words(each)}"
        of = f"entry {each.entry_id}\ndocument {document_words(each.document)}\n{each.reason}"
        rows.add_row("\n".join((each.suppression_id, until, *people)), of)
    return rows


def _end_words(suppression: watchlist_pb2.Suppression) -> str:
    day = show.when(suppression.expires_at)[:10]
    if suppression.state in (
        watchlist_pb2.SUPPRESSION_STATE_PROPOSED,
        watchlist_pb2.SUPPRESSION_STATE_ACTIVE,
    ):
        return f"until {day}"
    if suppression.state == watchlist_pb2.SUPPRESSION_STATE_EXPIRED:
        return f"its end was {day}"
    return f"its end would have been {day}"


def document_words(document: types_pb2.DocumentKey) -> str:
    """Say which document, as `--document` takes it."""
    return f"{document.document_code}:{document.issuing_state}:{document.number}"
