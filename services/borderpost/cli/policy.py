"""`borderpost policy`: look at policies, compare, test, try one on what was recorded, and bring it into force."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Annotated, Final

import grpc
import typer
from rich.console import Group
from rich.table import Table

from borderpost.cli import event_filter, show
from borderpost.cli.options import Json, Purpose
from borderpost.cli.people import ADMINISTRATOR, APPROVER, AUDITOR, Person
from borderpost.policy.cases import load_cases, wrong
from borderpost.policy.comparing import Simulation, differences, simulate
from borderpost.policy.model import Policy, PolicyError, PolicyVersion, load_policy, read_policy
from borderpost.policy.remarks import remarks
from borderpost.runtime.calibration import load_calibrations
from borderpost.runtime.settings import load_settings
from borderpost.runtime.status import RemoteError
from borderpost.v1 import gateway_pb2
from borderpost.v1.decisions_pb2 import GetPolicyRequest

PAGE: Final = 500
SCREENED: Final = "traveler-screened"

app = typer.Typer(help="Policies: check, compare, test, simulate and activate them.", no_args_is_help=True)

PolicyFile = Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A policy, a TOML file.")]


@app.command("show")
def show_policy(
    file: Annotated[
        Path | None,
        typer.Argument(
            exists=True, dir_okay=False, help="A policy. Default: what settings name, or what comes with it."
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Print a policy, with the version that records name it by.

    Example: `borderpost policy show`
    """
    policy = load_policy(file or load_settings().gateway.policy)
    plain = {"version": policy.version, "policy": policy.policy.model_dump(mode="json")}
    show.emit(as_json, plain, lambda: f"# {policy.version}\n{policy.toml.decode()}")


@app.command()
def status(
    identity: Annotated[str, typer.Option("--as", help="Your identity.")] = ADMINISTRATOR,
    as_json: Json = False,
) -> None:
    """Show which policy is in force at the gateway, and which ones wait for a second person.

    Example: `borderpost policy status`
    """
    with Person(load_settings(), identity) as someone:
        answer = someone.ask(someone.gateway.GetStatus, gateway_pb2.GetStatusRequest())
    show.emit(as_json, answer, lambda: _standing(answer))


@app.command()
def propose(
    file: PolicyFile,
    purpose: Purpose,
    identity: Annotated[str, typer.Option("--as", help="Your identity.")] = ADMINISTRATOR,
    as_json: Json = False,
) -> None:
    """Propose a policy; an approver, another person, brings it into force.

    Example: `borderpost policy propose new-policy.toml --purpose "change 12"`
    """
    request = gateway_pb2.ProposePolicyRequest(toml=file.read_bytes())
    with Person(load_settings(), identity, purpose) as administrator:
        answer = administrator.ask(administrator.gateway.ProposePolicy, request)
    then = f"borderpost policy activate {answer.policy} --purpose …"
    show.emit(
        as_json, answer, lambda: f"Proposed {answer.policy}. An approver brings it into force:\n  {then}"
    )


@app.command()
def activate(
    policy: Annotated[str, typer.Argument(help="Its name and hash, as it was proposed.")],
    purpose: Purpose,
    identity: Annotated[str, typer.Option("--as", help="Your identity.")] = APPROVER,
    as_json: Json = False,
) -> None:
    """Bring a policy into force that an administrator proposed: for everybody who comes from now on.

    Example: `borderpost policy activate default-5@57a995b2bfd1abcc --purpose "change 12"`
    """
    request = gateway_pb2.ActivatePolicyRequest(policy=policy)
    with Person(load_settings(), identity, purpose) as approver:
        answer = approver.ask(approver.gateway.ActivatePolicy, request)
    show.emit(as_json, answer, lambda: f"{answer.policy} is in force.")


def _standing(answer: gateway_pb2.GetStatusResponse) -> Table:
    rows = show.pairs()
    rows.add_row("in force", answer.policy)
    rows.add_row(
        "changed by", "two people" if answer.policy_by_people else "the file that gateway.policy names"
    )
    for each in answer.proposals:
        said = (
            f"{each.policy}\nby {each.proposed_by.subject}, {show.when(each.time)} UTC, for: {each.purpose}"
        )
        rows.add_row("proposed", said)
    return rows


@app.command()
def check(file: PolicyFile, as_json: Json = False) -> None:
    """Check a policy: its schema, and that no rule looks at nationality, sex, or an age without a law.

    Example: `borderpost policy check new-policy.toml`
    """
    policy = load_policy(file)
    rules, told = (
        len(policy.policy.rules),
        remarks(policy.policy, load_calibrations(load_settings().calibrations).values()),
    )
    usable = f"It can be used. Records will name it {policy.version}; it has {rules} rules."
    plain = {"version": policy.version, "rules": rules, "remarks": told}
    show.emit(as_json, plain, lambda: "\n".join((usable, *told)))


@app.command()
def diff(before: PolicyFile, after: PolicyFile, as_json: Json = False) -> None:
    """Show what differs between two policies, field by field.

    Example: `borderpost policy diff policy.toml new-policy.toml`
    """
    found = differences(load_policy(before).policy, load_policy(after).policy)
    table = show.table("field", "before", "after")
    for one in found:
        table.add_row(one.path, one.before or "—", one.after or "—")
    plain = {"differences": [{"field": one.path, "before": one.before, "after": one.after} for one in found]}
    show.emit(as_json, plain, lambda: table if found else "They decide the same.")


@app.command("test")
def run_cases(
    file: PolicyFile,
    cases: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="Cases, a TOML file.")],
    as_json: Json = False,
) -> None:
    """Run a table of cases against a policy. Exit status 1 if one is decided otherwise.

    Example: `borderpost policy test new-policy.toml cases.toml`
    """
    policy, table = load_policy(file), load_cases(cases)
    found = list(wrong(policy.policy, table))
    rows = show.table("case", "wanted", "decided", "reasons")
    for one in found:
        rows.add_row(one.case.name, one.case.outcome, one.decision.outcome, ", ".join(one.decision.reasons))
    plain = {
        "cases": len(table.cases),
        "wrong": [
            {
                "case": one.case.name,
                "wanted": one.case.outcome,
                "decided": one.decision.outcome,
                "reasons": list(one.decision.reasons),
            }
            for one in found
        ],
    }
    show.emit(
        as_json, plain, lambda: rows if found else f"All {len(table.cases)} cases are decided as wanted."
    )
    if found:
        raise typer.Exit(1)


@app.command("simulate")
def simulate_policy(
    file: PolicyFile,
    purpose: Purpose = "",
    since: event_filter.Since = None,
    until: event_filter.Until = None,
    crossing: event_filter.Crossing = "",
    most: Annotated[
        int, typer.Option(min=1, max=1_000_000, help="Newest screenings to try, at most.")
    ] = 10_000,
    as_json: Json = False,
) -> None:
    """Try a policy on recorded screenings, as the auditor, and show what would have come to something else.

    Example: `borderpost policy simulate new-policy.toml --purpose 'change 12' --since 2026-11-01`
    """
    settings, candidate, result = load_settings(), load_policy(file), Simulation()
    with Person(settings, AUDITOR, purpose) as auditor:
        decided_by = functools.cache(functools.partial(_kept_policy, auditor))
        request = event_filter.event_filter(since, until, None, [SCREENED], "", crossing=crossing)
        request.page_size = min(PAGE, most)
        for page in auditor.pages(auditor.decisions.QueryEvents, request):
            for entry in page.entries[: most - result.screenings]:
                screening = entry.event.traveler_screened
                simulate(candidate.policy, entry.event.event_id, screening, result, decided_by)
            if result.screenings >= most:
                break
    show.emit(as_json, _plain(candidate, result), lambda: _view(candidate, result))


def _kept_policy(auditor: Person, version: str) -> Policy | None:
    """Return a policy that was in force, as the log keeps it; None if it doesn't, or this version can't read it."""
    if not version:
        return None
    try:
        answer = auditor.ask(auditor.decisions.GetPolicy, GetPolicyRequest(policy=version))
        return read_policy(answer.toml, version).policy
    except RemoteError as error:
        if error.code is not grpc.StatusCode.NOT_FOUND:
            raise
    except PolicyError:
        pass
    return None


def _plain(candidate: PolicyVersion, result: Simulation) -> dict[str, object]:
    return {
        "policy": candidate.version,
        "screenings": result.screenings,
        "changed": result.changed,
        "outcomes": [
            {"before": before, "after": after, "screenings": count}
            for (before, after), count in sorted(result.changes.items())
        ],
        "reasons": dict(result.reasons.most_common()),
        "not_simulated": dict(result.not_simulated),
        "fields_not_simulated": dict(result.unsimulated),
        "examples": [
            {"event_id": one.event_id, "before": one.before, "after": one.after, "reasons": list(one.reasons)}
            for one in result.examples
        ],
    }


def _view(candidate: PolicyVersion, result: Simulation) -> Group:
    outcomes = show.table("before", "after", "screenings")
    for (before, after), count in sorted(result.changes.items()):
        outcomes.add_row(before, after, f"{count:,}", style=None if before == after else "bold")
    examples = show.table("event", "before", "after", "reasons")
    for one in result.examples:
        examples.add_row(one.event_id, one.before, one.after, ", ".join(one.reasons))
    notes = [f"{count:,} not simulated: {why}" for why, count in result.not_simulated.items()]
    notes += [
        f"{count:,} were decided with another {name}: what that changes can't be told from recorded checks"
        for name, count in result.unsimulated.items()
    ]
    told = f"{candidate.version}: {result.changed:,} of {result.screenings:,} would have come to another outcome."
    shown = [outcomes, examples] if result.examples else [outcomes]
    return Group(told, *shown, *notes)
