"""Looking back, for the gateway while it screens. Plain and synchronous; may run in many threads at once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from borderpost.decisions.domain import Lookup, Record
from borderpost.decisions.lookups import Lookups
from borderpost.decisions.patterns.domain import (
    Pattern,
    Seen,
    Terms,
    patterns,
    two_identities,
    with_portraits,
)
from borderpost.decisions.patterns.gallery import Face, Gallery
from borderpost.decisions.patterns.ports import Earlier, RecentStore
from borderpost.runtime.clock import Clock, from_timestamp
from borderpost.runtime.templates import vector_of
from borderpost.v1.decisions_pb2 import AppendScreeningRequest, LookBackRequest
from borderpost.v1.types_pb2 import Template

MOST_SCREENINGS: Final = 200
"""Screenings of one document (without the visit's own), visit or group that are looked at: the newest."""

LONGEST_HELD: Final = timedelta(hours=12)
"""No face is in the gallery for longer, whatever is asked for."""

VISIT_LASTS: Final = timedelta(days=1)
"""Attempts of a visit, and visits of a group, are not looked for any further back."""


@dataclass(frozen=True, slots=True)
class LookedBack:
    """What there was."""

    attempts: int
    adult_in_group: bool
    patterns: tuple[Pattern, ...]


class LookBack:
    """Looks back, and gives no personal data out."""

    def __init__(self, store: RecentStore, lookups: Lookups, gallery: Gallery, clock: Clock) -> None:
        self._store = store
        self._lookups = lookups
        self._gallery = gallery
        self._clock = clock

    def look_back(self, request: LookBackRequest) -> LookedBack:
        """Return what earlier screenings say of a visit, its group and its document. UnavailableError."""
        at = from_timestamp(request.at)
        visit = self._earlier(self._lookups.visit(request.visit_id), at - VISIT_LASTS, request)
        adults = (
            self._earlier(self._lookups.adult_of(request.group_id), at - VISIT_LASTS, request)
            if request.group_id
            else []
        )
        return LookedBack(
            attempts=len(visit),
            adult_in_group=any(_visit_of(one) != request.visit_id for one in adults),
            patterns=(*self._patterns(request, at), *self._with_other_identity(request, at)),
        )

    def remember(self, request: AppendScreeningRequest, record: Record) -> None:
        """Hold the face of a screening that was appended, where the policy has a gallery."""
        recent = request.recent
        if recent.HasField("live_template") and recent.holder_sha256:
            seen = _seen(Earlier(record.index, record.event()))
            until = min(from_timestamp(recent.gallery_until), self._clock.now() + LONGEST_HELD)
            self._gallery.hold(
                _face(seen, recent.holder_sha256, recent.live_template, until), self._clock.now()
            )

    def _with_other_identity(self, request: LookBackRequest, at: datetime) -> list[Pattern]:
        wanted = request.terms.gallery_seconds and request.holder_sha256
        if not wanted or not request.HasField("live_template"):
            return []
        seen = Seen("", request.visit_id, request.crossing, at)
        face = _face(seen, request.holder_sha256, request.live_template, at)
        return two_identities(self._gallery.of_others(face, request.terms.gallery_fmr, self._clock.now()))

    def _patterns(self, request: LookBackRequest, at: datetime) -> list[Pattern]:
        if not request.HasField("document") or not request.HasField("terms"):
            return []
        terms = _terms(request)
        own = self._lookups.visit(request.visit_id)
        document = self._lookups.document(request.document)
        found = self._earlier(document, at - terms.window, request, without=own)
        seen = {one.index: _seen(one) for one in found}
        portraits = self._store.portraits(list(seen)) if terms.portrait_changed else {}
        portrait = request.chip_portrait_sha256
        now = Seen(
            "",
            request.visit_id,
            request.crossing,
            at,
            self._lookups.portrait(portrait).hash if portrait else None,
        )
        return patterns(now, with_portraits(seen, portraits), terms)

    def _earlier(
        self, lookup: Lookup, since: datetime, request: LookBackRequest, without: Lookup | None = None
    ) -> list[Earlier]:
        """What is found by this and not by the other, but for the request itself: sent again, it is in the log
        already."""
        found = self._store.screenings(lookup, since, MOST_SCREENINGS, without)
        return [
            one
            for one in found
            if (one.event.traveler_screened.kiosk_id, one.event.traveler_screened.request_id)
            != (request.kiosk_id, request.request_id)
        ]


def _terms(request: LookBackRequest) -> Terms:
    terms = request.terms
    return Terms(
        timedelta(seconds=terms.window_seconds),
        timedelta(seconds=terms.two_places_seconds),
        terms.most_visits,
        terms.portrait_changed,
    )


def _seen(earlier: Earlier) -> Seen:
    screening = earlier.event.traveler_screened
    at = screening.kiosk_time if screening.inputs.late else screening.received_at
    return Seen(earlier.event.event_id, screening.visit_id, screening.crossing, from_timestamp(at))


def _face(seen: Seen, holder: bytes, template: Template, until: datetime) -> Face:
    return Face(seen, holder, template.model_id, vector_of(template), until)


def _visit_of(earlier: Earlier) -> str:
    return earlier.event.traveler_screened.visit_id
