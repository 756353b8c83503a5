"""Rules, ages, the sample, terms, and what a policy may not look at."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from borderpost.policy import cases as tables
from borderpost.policy.ages import age_limits, age_of, is_adult
from borderpost.policy.comparing import Simulation, differences, simulate, unsimulated_fields
from borderpost.policy.deciding import decide
from borderpost.policy.domain import (
    Advice,
    Age,
    Candidate,
    CheckKind,
    CheckResult,
    Outcome,
    Status,
    Traveler,
)
from borderpost.policy.inputs import check_of, inputs_of, pattern_terms, recorded_checks, recorded_traveler
from borderpost.policy.lint import REFUSED
from borderpost.policy.model import BUILT_IN, Category, Policy, PolicyError, load_policy, read_policy
from borderpost.policy.referring import referral_terms
from borderpost.policy.remarks import NO_COVER, remarks
from borderpost.runtime.calibration import load_calibrations
from borderpost.v1 import watchlist_pb2
from borderpost.v1.decisions_pb2 import TravelerScreened
from borderpost.v1.types_pb2 import DIRECTION_ENTRY, PartialDate
from borderpost.v1.types_pb2 import Outcome as RecordedOutcome

POLICY = load_policy(None).policy
TODAY = date(2026, 11, 26)
TEXT = BUILT_IN.read_text("utf-8")

CANDIDATES = st.builds(
    Candidate,
    list_id=st.sampled_from(["", "one", "two"]),
    category=st.sampled_from(["SECURITY", "WANTED", "DOCUMENT", "UNSPECIFIED"]),
    priority=st.integers(0, 12),
    kind=st.sampled_from(["FACE", "NAME", "UNSPECIFIED"]),
    suppressed=st.booleans(),
)
AGES = st.builds(Age, st.none() | st.integers(1, 90), st.none() | st.integers(1, 90))
TRAVELERS = st.builds(
    Traveler,
    crossing=st.sampled_from(["north", "south"]),
    direction=st.sampled_from(["ENTRY", "EXIT"]),
    document_code=st.sampled_from(["", "P", "ID", "V"]),
    attempt=st.integers(1, 5),
    has_chip=st.booleans(),
    age=AGES,
    accompanied=st.booleans(),
    declined=st.booleans(),
    late=st.booleans(),
    draw=st.none() | st.integers(0, 999_999),
    candidates=st.lists(CANDIDATES, max_size=3).map(tuple),
    patterns=st.lists(st.sampled_from(["MANY_VISITS", "CHIP_PORTRAIT_CHANGED"]), max_size=2).map(tuple),
)


@st.composite
def checked(draw):
    return tuple(
        CheckResult(
            kind,
            draw(st.sampled_from(Status)),
            tuple(draw(st.lists(st.sampled_from(["A", "B"]), max_size=2))),
            (Advice("AGAIN", ""),) if draw(st.booleans()) else (),
            draw(st.booleans()),
        )
        for kind in CheckKind
    )


def of(**changes):
    return Policy.model_validate(POLICY.model_dump() | changes)


@given(TRAVELERS, checked())
def test_nobody_is_clear_who_declined_or_whose_required_checks_did_not_all_pass(traveler, checks):
    decision = decide(POLICY, traveler, checks)
    by_kind = {check.kind: check.status for check in checks}
    if decision.outcome is Outcome.CLEAR:
        assert not traveler.declined
        assert Status.FAILED not in by_kind.values()
        assert all(by_kind[kind] is Status.PASSED for kind in decision.required)
        assert decision.required
    assert not (traveler.late and decision.outcome is Outcome.RETAKE)
    assert bool(decision.reasons) == (decision.outcome is not Outcome.CLEAR)


@given(TRAVELERS, checked(), st.integers(0, 999_999))
def test_the_draw_changes_nothing_but_clear_into_an_officers(traveler, checks, drawn):
    policy = of(sample={"share": 0.1})
    without = decide(policy, _but(traveler, draw=None), checks)
    with_draw = decide(policy, _but(traveler, draw=drawn), checks)
    if with_draw != without:
        assert (without.outcome, with_draw.outcome) == (Outcome.CLEAR, Outcome.REFER)
        assert (with_draw.reasons, with_draw.sampled) == (("RANDOM_SAMPLE",), True)
        assert drawn < 100_000


@given(TRAVELERS, checked(), st.integers(0, 100))
def test_an_unknown_age_is_never_laxer_than_any_age(traveler, checks, years):
    known = age_of(PartialDate(year=TODAY.year - years, month=1, day=1), TODAY, age_limits(POLICY))
    unknown = decide(POLICY, _but(traveler, age=Age()), checks)
    if unknown.outcome is Outcome.CLEAR:
        assert decide(POLICY, _but(traveler, age=known), checks).outcome is Outcome.CLEAR


@given(TRAVELERS, checked())
def test_what_a_policy_looked_at_comes_back_from_the_record_and_is_decided_the_same(traveler, checks):
    screening = TravelerScreened(
        crossing=traveler.crossing,
        direction=f"DIRECTION_{traveler.direction}",
        attempt=traveler.attempt,
        checks=map(check_of, checks),
        inputs=inputs_of(traveler),
    )
    again = TravelerScreened.FromString(screening.SerializeToString())
    assert recorded_traveler(again) == traveler
    assert recorded_checks(again) == checks
    assert decide(POLICY, recorded_traveler(again), recorded_checks(again)) == decide(
        POLICY, traveler, checks
    )


def _but(traveler, **changes):
    fields = {name: getattr(traveler, name) for name in Traveler.__dataclass_fields__}
    return Traveler(**(fields | changes))


@pytest.mark.parametrize(
    ("born", "age"),
    [
        ((2008, 11, 26), Age(18, None)),
        ((2008, 11, 27), Age(12, 18)),
        ((2014, 11, 26), Age(12, 18)),
        ((2020, 1, 1), Age(None, 12)),
        ((2008, 11, None), Age(12, None)),
        ((2008, None, None), Age(12, None)),
        ((2007, None, None), Age(18, None)),
        ((None, 5, 5), Age()),
        ((2030, 1, 1), Age()),
        ((1999, 13, 40), Age()),
        ((2008, 2, 29), Age(18, None)),
        ((2007, 2, 29), Age()),
        ((2008, 4, 31), Age()),
    ],
)
def test_an_age_lies_between_the_limits_that_the_known_parts_of_the_birth_date_allow(born, age):
    parts = {name: value for name, value in zip(("year", "month", "day"), born, strict=True) if value}
    assert age_of(PartialDate(**parts), TODAY, (12, 18)) == age


def test_an_adult_is_somebody_who_certainly_is_one():
    assert is_adult(PartialDate(year=2008, month=11, day=26), TODAY, 18)
    assert not is_adult(PartialDate(year=2008), TODAY, 18)
    assert not is_adult(PartialDate(), TODAY, 18)


def test_a_rule_that_may_fit_wants_an_officer_only_where_another_picture_could_not_tell():
    unread = CheckResult(CheckKind.DOCUMENT_OPTICAL, Status.UNDETERMINED, (), (Advice("BLURRED", ""),))
    passed = [CheckResult(kind, Status.PASSED) for kind in CheckKind]
    unknown = Traveler("north", "ENTRY", "", 1)
    assert decide(POLICY, unknown, [*passed[1:], unread]).outcome is Outcome.RETAKE
    assert decide(POLICY, unknown, passed).reasons == ("MINOR_ALONE",)


@pytest.mark.parametrize("key", sorted(REFUSED))
@pytest.mark.parametrize("where", ["[[rules]]", "[[referral.lists]]", "[sample]"])
def test_no_rule_may_look_at_what_people_are_not_told_apart_by(key, where):
    text = TEXT.replace(where, f'{where}\n{key} = ["X"]', 1)
    with pytest.raises(PolicyError, match=f"{key}.*article 21"):
        read_policy(text.encode(), "policy")


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        ("\nlegal_basis = ", "\n# legal_basis = ", "rules 1: .*law and article"),
        ("\nlegal_basis = ", '\nlegal_basis = "  " # ', "legal_basis"),
        ("age_below = 18", "age_below = 500", "age_below"),
        ("share = 0.0", "share = 0.5", "sample.share"),
        ("[patterns]", "[patterns.gallery]\nseconds = 60\nfmr = 1e-6\n[patterns]", "legal_basis"),
        ("window_seconds = 86400", "window_seconds = 8640000", "window_seconds"),
        ('categories = ["MISSING', 'categories = ["FOREIGN', "categories"),
        ("\nofficer = true", "\nofficer = false", "rules 1: .*at least one check"),
        ("most_age_seconds = 86400", "most_age_seconds = 0", "most_age_seconds"),
    ],
)
def test_what_a_policy_may_not_say_is_refused_with_its_place(before, after, says):
    assert before in TEXT
    with pytest.raises(PolicyError, match=says):
        read_policy(TEXT.replace(before, after, 1).encode(), "policy")


def test_a_policy_that_is_nested_without_end_or_too_long_is_refused():
    for data in (b"a=" + b"[" * 60_000, b"#" * 70_000, b"\xff\xfe"):
        with pytest.raises(PolicyError):
            read_policy(data, "policy")


def test_the_categories_are_those_of_the_watchlists():
    names = {name.removeprefix("WATCHLIST_CATEGORY_") for name in watchlist_pb2.WatchlistCategory.keys()[1:]}
    assert set(Category.__args__) == names


def test_a_referral_is_as_urgent_as_the_most_urgent_of_reason_pattern_and_list():
    wanted = Candidate("one", "WANTED", 4, "FACE")
    missing = Candidate("two", "MISSING_OR_VULNERABLE", 8, "FACE")
    hidden = Candidate("", "SECURITY", 1, "FACE", suppressed=True)

    def priority(reasons=(), **changes):
        traveler = Traveler("north", "ENTRY", "P", 1, **changes)
        return referral_terms(POLICY.referral, reasons, traveler).priority

    assert priority() == 7
    assert priority(candidates=(wanted,)) == 4
    assert priority(candidates=(wanted, missing)) == 1  # by the policy's own terms for the list
    assert priority(candidates=(hidden,)) == 7
    assert priority(patterns=("CHIP_PORTRAIT_CHANGED",)) == 3
    assert priority(("FACE_NOT_THE_DOCUMENTS",)) == 3


def test_reasons_may_want_the_officers_own_look_first():
    referral, traveler = of(referral={"own_look_first": ["X"]}).referral, Traveler("north", "ENTRY", "P", 1)
    assert referral_terms(referral, ("X", "Y"), traveler).own_look_first
    assert not referral_terms(referral, ("Y",), traveler).own_look_first


def test_a_list_may_want_two_officers():
    policy = of(referral={"lists": [{"categories": ["WANTED"], "second_finding": True}]})
    traveler = Traveler("north", "ENTRY", "P", 1, candidates=(Candidate("one", "WANTED", 4, "NAME"),))
    assert referral_terms(policy.referral, ("X",), traveler).second_finding
    assert not referral_terms(policy.referral, ("X",), _but(traveler, candidates=())).second_finding


def test_patterns_are_asked_for_as_the_policy_says_and_no_gallery_by_default():
    terms = pattern_terms(POLICY)
    assert (terms.two_places_seconds, terms.most_visits, terms.portrait_changed) == (1800, 5, True)
    assert terms.gallery_seconds == 0
    assert pattern_terms(of(patterns=None)) is None


def test_the_cases_that_come_with_the_policy_are_decided_as_they_say():
    table = tables.load_cases(tables.BUILT_IN)
    assert len(table.cases) > 15
    assert list(tables.wrong(POLICY, table)) == []


def test_a_case_that_is_decided_otherwise_is_found():
    [wrong] = tables.wrong(of(max_attempts=1), _only("a picture that can be taken again"))
    assert wrong.decision.outcome is Outcome.REFER


def _only(name):
    table = tables.load_cases(tables.BUILT_IN)
    return table.model_copy(update={"cases": tuple(case for case in table.cases if case.name == name)})


def test_what_differs_between_two_policies_is_said_by_field():
    assert differences(POLICY, POLICY) == []
    found = {
        one.path: (one.before, one.after) for one in differences(POLICY, of(max_attempts=2, tolerated=["X"]))
    }
    assert found == {"max_attempts": ("3", "2"), "tolerated": ("", "X")}
    fewer = of(rules=[rule.model_dump() for rule in POLICY.rules[1:]])
    assert any(one.path.startswith("rules 3") and one.after is None for one in differences(POLICY, fewer))


def recorded(traveler, checks, outcome):
    return TravelerScreened(
        crossing="north",
        direction=DIRECTION_ENTRY,
        attempt=1,
        checks=map(check_of, checks),
        inputs=inputs_of(traveler),
        outcome=RecordedOutcome.Value(f"OUTCOME_{outcome}"),
    )


def by_default(version):
    """The policy that decided a record: here always the default one."""
    return POLICY


def test_a_simulation_counts_what_would_change_and_names_examples():
    passed = [CheckResult(kind, Status.PASSED) for kind in CheckKind]
    no_liveness = [
        *(c for c in passed if c.kind is not CheckKind.LIVENESS),
        CheckResult(CheckKind.LIVENESS, Status.NOT_PERFORMED),
    ]
    adult = Traveler("north", "ENTRY", "P", 1, age=Age(18))
    stricter = of(rules=[{"required": [*POLICY.rules[-1].required, "LIVENESS"]}])
    result = Simulation()
    simulate(stricter, "one", recorded(adult, passed, "CLEAR"), result, by_default)
    simulate(stricter, "two", recorded(adult, no_liveness, "CLEAR"), result, by_default)
    assert (result.screenings, result.changed) == (2, 1)
    assert result.changes[Outcome.CLEAR, Outcome.REFER] == 1
    assert [(one.event_id, one.reasons) for one in result.examples] == [("two", ("LIVENESS_NOT_PERFORMED",))]


def test_what_cannot_be_simulated_is_counted_with_the_reason_and_never_guessed():
    passed = [CheckResult(kind, Status.PASSED) for kind in CheckKind]
    between = Traveler("north", "ENTRY", "P", 1, age=Age(12, 18))
    policy = of(
        rules=[
            {"age_below": 16, "officer": True, "legal_basis": "Act 1"},
            POLICY.rules[-1].model_dump(),
        ]
    )
    result = Simulation()
    before = TravelerScreened(outcome=RecordedOutcome.OUTCOME_CLEAR)
    simulate(policy, "before", before, result, by_default)
    simulate(policy, "between", recorded(between, passed, "CLEAR"), result, by_default)
    adult = recorded(Traveler("north", "ENTRY", "P", 1, age=Age(18)), passed, "CLEAR")
    for number in range(3):
        strange = TravelerScreened.FromString(adult.SerializeToString())
        if number == 0:
            strange.checks.add(name="OF_A_LATER_VERSION", status=1)
        elif number == 1:
            strange.inputs.candidates.add(category=99)
        else:
            strange.direction = 99
        simulate(policy, "later", strange, result, by_default)
    assert dict(result.not_simulated) == {
        "RECORD_WITHOUT_INPUTS": 1,
        "AGE_NOT_RESOLVED": 1,
        "OF_A_LATER_VERSION": 3,
    }
    assert result.changed == 0


@pytest.mark.parametrize(
    ("former", "said"), [(POLICY, "known"), (of(rules=[{"required": ["FACE_MATCH"]}]), "not"), (None, "not")]
)
def test_an_age_that_was_not_recorded_is_unknown_only_if_the_records_own_policy_asked_for_it(former, said):
    passed = [CheckResult(kind, Status.PASSED) for kind in CheckKind]
    nothing_recorded = recorded(Traveler("north", "ENTRY", "P", 1), passed, "CLEAR")
    result = Simulation()
    simulate(POLICY, "one", nothing_recorded, result, lambda version: former)
    assert dict(result.not_simulated) == ({} if said == "known" else {"AGE_NOT_RESOLVED": 1})


def test_what_a_simulation_cannot_show_is_counted_by_the_policy_that_decided():
    passed = [CheckResult(kind, Status.PASSED) for kind in CheckKind]
    adult = recorded(Traveler("north", "ENTRY", "P", 1, age=Age(18)), passed, "CLEAR")
    assert unsimulated_fields(POLICY, of(face_match_fmr=0.0001)) == ["face_match_fmr"]
    result = Simulation()
    simulate(of(face_match_fmr=0.0001), "one", adult, result, by_default)
    assert dict(result.unsimulated) == {"face_match_fmr": 1}


def test_whoever_draws_samples_without_giving_them_cover_is_told():
    assert remarks(POLICY, ()) == []
    assert remarks(of(sample={"share": 0.01}), ()) == [NO_COVER]
    unnamed = [{"officer": True, "crossings": ["north"]}, POLICY.rules[-1].model_dump()]
    assert remarks(of(sample={"share": 0.01}, rules=unnamed), ()) == []


@pytest.mark.parametrize(("fmr", "told"), [(1e-5, 0), (1e-7, 1)])
def test_whoever_asks_the_gallery_for_a_rate_that_nobody_can_show_is_told(fmr, told):
    gallery = {"seconds": 3600, "fmr": fmr, "legal_basis": "Act 1"}
    found = remarks(of(patterns={"gallery": gallery}), load_calibrations().values())
    assert len(found) == told
    assert all("5e-06" in text for text in found)


def test_a_rule_cannot_pass_its_travelers_off_as_a_random_sample():
    with pytest.raises(ValidationError, match="the draw's own"):
        of(rules=[{"officer": True, "reason": "RANDOM_SAMPLE"}])


def test_a_rule_whose_ages_nobody_fits_is_refused():
    with pytest.raises(ValidationError, match="which nobody fits"):
        of(rules=[{"age_from": 30, "age_below": 18, "officer": True, "legal_basis": "Act 1"}])
