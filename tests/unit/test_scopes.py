"""Scopes limit a person to crossings; and no officer is told who was drawn at random."""

from __future__ import annotations

import pytest

from borderpost.decisions.sampled import entry_for_officers, for_officers, reasons_meant
from borderpost.runtime.calls import Actor, Call, Role
from borderpost.runtime.scopes import OutOfScopeError, crossings_of, narrowed, want_crossing
from borderpost.v1.cases_pb2 import Case
from borderpost.v1.decisions_pb2 import LogEntry

ANNA = Actor("https://login.example", "anna")


def call(*scopes, roles=(Role.OFFICER,)):
    return Call("", ANNA, Role.GATEWAY, ANNA, frozenset(roles), "", "", "", frozenset(scopes))


def test_without_scopes_of_crossings_nobody_is_limited():
    for caller in (call(), call("list:one")):
        assert crossings_of(caller) == frozenset()
        want_crossing(caller, "north")
        assert (narrowed(caller, ""), narrowed(caller, "north")) == ("", "north")


def test_a_question_is_narrowed_to_the_only_crossing_and_of_several_one_must_be_named():
    assert narrowed(call("crossing:north"), "") == "north"
    two = call("crossing:north", "crossing:south")
    assert narrowed(two, "south") == "south"
    for caller, asked in ((two, ""), (two, "east"), (call("crossing:north"), "south")):
        with pytest.raises(OutOfScopeError):
            narrowed(caller, asked)


def test_a_scope_of_no_crossing_opens_none():
    for caller in (call("crossing:"), call("crossing:", "crossing:north")):
        with pytest.raises(OutOfScopeError):
            narrowed(caller, "")


def test_what_is_at_another_crossing_is_out_of_scope():
    want_crossing(call("crossing:north"), "north")
    for other in ("south", "", "nort", "north "):
        with pytest.raises(OutOfScopeError):
            want_crossing(call("crossing:north"), other)


def sampled():
    entry = LogEntry()
    screening = entry.event.traveler_screened
    screening.reasons.append("RANDOM_SAMPLE")
    screening.sampled = True
    screening.inputs.draw = 7
    return entry


def test_an_officer_sees_a_random_sample_as_somebody_to_look_at_and_nothing_that_tells_it():
    case = for_officers(Case(reasons=["RANDOM_SAMPLE"]), call())
    shown = entry_for_officers(sampled(), call()).event.traveler_screened
    assert list(case.reasons) == list(shown.reasons) == ["OFFICER_CHECK"]
    assert not shown.sampled
    assert not shown.inputs.HasField("draw")
    assert b"SAMPLE" not in shown.SerializeToString()


@pytest.mark.parametrize("role", [Role.SUPERVISOR, Role.AUDITOR])
def test_supervisors_and_auditors_see_what_it_is(role):
    caller = call(roles=(Role.OFFICER, role))
    assert list(for_officers(Case(reasons=["RANDOM_SAMPLE"]), caller).reasons) == ["RANDOM_SAMPLE"]
    assert entry_for_officers(sampled(), caller) == sampled()


def test_other_reasons_and_records_from_before_stay_as_they_are():
    case = Case(reasons=["FACE_NOT_THE_DOCUMENTS"])
    assert list(for_officers(case, call()).reasons) == ["FACE_NOT_THE_DOCUMENTS"]
    entry = LogEntry()
    entry.event.traveler_screened.reasons.append("X")
    assert not entry_for_officers(entry, call()).event.traveler_screened.HasField("inputs")


def test_an_officer_can_neither_see_nor_ask_for_what_tells_a_random_sample_from_a_rules_traveler():
    by_rule = for_officers(Case(reasons=["RULE_OFFICER"]), call())
    assert list(by_rule.reasons) == ["OFFICER_CHECK"]
    assert reasons_meant("RANDOM_SAMPLE", call()) == reasons_meant("RULE_OFFICER", call()) == frozenset()
    assert {"RANDOM_SAMPLE", "RULE_OFFICER"} <= reasons_meant("OFFICER_CHECK", call())
    assert reasons_meant("MINOR_ALONE", call()) == {"MINOR_ALONE"}
    assert reasons_meant("RANDOM_SAMPLE", call(roles=(Role.SUPERVISOR,))) == {"RANDOM_SAMPLE"}
