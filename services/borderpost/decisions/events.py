"""Making the events that this service writes itself."""

from __future__ import annotations

from datetime import datetime
from hashlib import sha256
from importlib.metadata import version
from typing import Final

from borderpost.decisions.domain import EVENT_SCHEMA, Part
from borderpost.runtime.calls import Actor
from borderpost.runtime.clock import to_timestamp
from borderpost.v1.decisions_pb2 import Event, RecordConsulted, TravelerScreened
from borderpost.v1.types_pb2 import Actor as ActorMessage

SOFTWARE: Final = f"borderpost {version('borderpost')}"


def event_of(event_id: str, time: datetime, actor: Actor, purpose: str = "", subject: str = "") -> Event:
    """Make an event without its body: who, when, why, about whom, and this service's version."""
    event = Event(
        schema_version=EVENT_SCHEMA,
        event_id=event_id,
        time=to_timestamp(time),
        actor=ActorMessage(issuer=actor.issuer, subject=actor.subject),
        purpose=purpose,
        subject=subject,
    )
    event.versions.software = SOFTWARE
    return event


def screened(
    event_id: str, time: datetime, actor: Actor, screening: TravelerScreened, sealed: dict[Part, bytes]
) -> Event:
    """Make the event of a screening, with the hashes of what is sealed beside it."""
    event = event_of(event_id, time, actor, subject=event_id)
    event.ClearField("versions")  # a screening's are in its body
    event.payload_sha256 = sha256(sealed[Part.PAYLOAD]).digest()
    if Part.EVIDENCE in sealed:
        event.evidence_sha256 = sha256(sealed[Part.EVIDENCE]).digest()
    event.traveler_screened.CopyFrom(screening)
    return event


def consulted(
    event_id: str, time: datetime, actor: Actor, purpose: str, what: RecordConsulted, subject: str = ""
) -> Event:
    """Make the event of someone looking at the log (Directive (EU) 2016/680, art. 25)."""
    event = event_of(event_id, time, actor, purpose, subject)
    event.record_consulted.CopyFrom(what)
    return event
