"""`borderpost trust …`: what the documents service trusts to sign chips."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.table import Table
from rich.text import Text

from borderpost.cli import show
from borderpost.cli.options import Json
from borderpost.cli.people import ADMINISTRATOR, Person
from borderpost.runtime.clock import from_timestamp, to_timestamp
from borderpost.runtime.errors import BorderpostError, InvalidRequestError
from borderpost.runtime.settings import load_settings
from borderpost.runtime.trust_reasons import TRUST_REASONS
from borderpost.v1 import trust_pb2

app = typer.Typer(
    help="What is trusted to sign chips: import master lists and certificates, list, show.",
    no_args_is_help=True,
)

As = Annotated[str, typer.Option("--as", help="Your identity.")]

PART_BYTES: Final = 8 * 1024 * 1024
"""Of an LDIF file that is sent at a time: the service takes 12 MiB, and those of the ICAO PKD are larger."""

MAX_FILE_BYTES: Final = 1024 * 1024 * 1024
"""Of a file that is read at all."""

MAX_SOURCE: Final = 200
PAGE: Final = 500
SHOWN_REFUSALS: Final = 40
"""Rows for people; --json has them all."""

_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_BLANK_LINE: Final = re.compile(rb"\r?\n\r?\n")
_KIND_WORDS: Final = {
    "MASTER_LIST": "a master list",
    "LDIF": "LDIF",
    "CERTIFICATE": "a certificate",
    "CRL": "a revocation list",
}


@app.command("import")
def import_files(
    files: Annotated[
        list[Path],
        typer.Argument(
            exists=True,
            dir_okay=False,
            help="Master lists, LDIF of the ICAO PKD, certificates, revocation lists; DER or PEM.",
        ),
    ],
    source: Annotated[str, typer.Option(help="Where they are from. Default: the file's name.")] = "",
    issuer: Annotated[
        str,
        typer.Option(
            help="For a master list of a state that isn't trusted yet: the SHA-256 of its CSCA certificate, as that "
            "state publishes it."
        ),
    ] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
    purpose: Annotated[str, typer.Option(help="Why. It is recorded with your name.")] = "",
    identity: As = ADMINISTRATOR,
    as_json: Json = False,
) -> None:
    """Import files, one after the other. At the first that is refused it ends; what was taken before stays.

    Example: `borderpost trust import DE_ROOT_CA.cer DE_ML.ml --source "BSI, May 2026"`
    """
    wanted = to_sha256(issuer)
    done: list[dict[str, Any]] = []
    with Person(load_settings(), identity, purpose) as administrator:
        for path in files:
            for name, data in _parts(path):
                request = trust_pb2.ImportTrustRequest(
                    file=data, source=(source or name)[:MAX_SOURCE], dry_run=dry_run, issuer_sha256=wanted
                )
                try:
                    answer = administrator.ask(administrator.trust.ImportTrust, request)
                except BorderpostError as error:
                    error.message = f"{name}: {error.message.removeprefix('file: ')}"
                    raise
                done.append({"file": name, **show.to_plain(answer)})
                if not as_json:
                    _tell(name, answer, dry_run=dry_run)
    show.emit(as_json, {"imports": done}, lambda: None)


@app.command("list")
def list_trusted(
    country: Annotated[str, typer.Option(help="Of this country only: two letters.")] = "",
    valid: Annotated[bool, typer.Option("--valid", help="Only those that are valid now.")] = False,
    identity: As = ADMINISTRATOR,
    as_json: Json = False,
) -> None:
    """Show what is trusted: certificates by country, and revocation lists.

    Example: `borderpost trust list --country DE --valid`
    """
    now = datetime.now(UTC)
    request = trust_pb2.ListTrustedRequest(country=country, page_size=PAGE)
    if valid:
        request.valid_at.CopyFrom(to_timestamp(now))
    with Person(load_settings(), identity) as someone:
        pages = list(someone.pages(someone.trust.ListTrusted, request))
    certificates = [each for page in pages for each in page.certificates]
    plain = show.to_plain(pages[0]) | {"certificates": [show.to_plain(each) for each in certificates]}
    plain.pop("next_page_token", None)

    def render() -> None:
        if certificates:
            show.console.print(trusted_view(certificates, now))
        if pages[0].revocation_lists:
            show.console.print(revocation_lists_view(pages[0].revocation_lists, now))
        show.console.print(_totals_sentence(pages[0], len(certificates)))

    show.emit(as_json, plain, render)


@app.command("show")
def show_trusted(
    certificate_id: Annotated[
        str,
        typer.Argument(metavar="ID", help="The beginning of its SHA-256 or key id, 8 digits or more."),
    ],
    identity: As = ADMINISTRATOR,
    as_json: Json = False,
) -> None:
    """Show one certificate with what vouches for it.

    Example: `borderpost trust show 2084aed7a991b315`
    """
    with Person(load_settings(), identity) as someone:
        request = trust_pb2.GetTrustedRequest(id=certificate_id.replace(":", ""))
        answer = someone.ask(someone.trust.GetTrusted, request)
    now = datetime.now(UTC)

    def render() -> None:
        show.console.print(certificate_view(answer, now))
        if answer.related:
            show.console.print("", "Of the same key, or of the key that signed it:", sep="\n")
            show.console.print(trusted_view(answer.related, now))

    show.emit(as_json, answer, render)


def import_words(answer: trust_pb2.ImportTrustResponse, *, dry_run: bool) -> str:
    """Say what an import did."""
    kind = show.name_of(trust_pb2.TrustFileKind, answer.kind, "TRUST_FILE_KIND_")
    lists = answer.revocation_lists_added
    parts = [f"{show.count(answer.added, 'certificate')} new", f"{answer.duplicates} known"]
    parts += [f"{show.count(lists, 'revocation list')} new"] if lists or kind in ("CRL", "LDIF") else []
    parts += [f"{len(answer.refused)} refused"]
    parts += [f"{answer.skipped} passed over (they bring no trust)"] if answer.skipped else []
    if dry_run:
        end = "Nothing was done."
    else:
        end = (
            f"The store is at version {answer.version}: {show.count(answer.certificates, 'certificate')} of "
            f"{answer.countries} {'country' if answer.countries == 1 else 'countries'}."
        )
    return f"{_KIND_WORDS[kind]}: {', '.join(parts)}. {end}"


def refusals_view(answer: trust_pb2.ImportTrustResponse) -> Table:
    """Show what was refused, and why."""
    rows = show.table("place", "refused", "why")
    rows.columns[0].justify = "right"
    for refusal in answer.refused[:SHOWN_REFUSALS]:
        why = TRUST_REASONS.get(refusal.reason, "")
        rows.add_row(
            str(refusal.position),
            refusal.subject or "can't be told",
            Text.assemble((refusal.reason, "bold"), f"\n{why}" if why else ""),
        )
    return rows


def trusted_view(certificates: Any, now: datetime) -> Table:
    """Show certificates."""
    rows = show.table("", "certificate", "key", "valid")
    for each in certificates:
        name = Text.assemble(
            (each.subject, "bold"),
            ("\nlink, issued by " + each.issuer if each.link else "", ""),
            (f"\n{each.sha256.hex()[:16]}…\nkey id {each.key_id.hex()}", "dim"),
        )
        rows.add_row(each.country, name, each.key, _validity(each, now))
    return rows


def certificate_view(answer: trust_pb2.GetTrustedResponse, now: datetime) -> Table:
    """Show one certificate."""
    it = answer.certificate
    rows = show.pairs()
    rows.add_row("subject", Text(it.subject, "bold"))
    rows.add_row("issuer", it.issuer + (" (link: the state's former CSCA)" if it.link else ""))
    rows.add_row("country", it.country)
    rows.add_row("serial", it.serial)
    rows.add_row("key", it.key)
    rows.add_row("key id", it.key_id.hex())
    rows.add_row("SHA-256", it.sha256.hex())
    rows.add_row("valid", _validity(it, now))
    rows.add_row("from", "\n".join(it.sources) or "not said")
    rows.add_row("added", f"{show.when(it.added_at)} UTC")
    return rows


def revocation_lists_view(lists: Any, now: datetime) -> Table:
    """Show revocation lists with their age."""
    rows = show.table("", "revocation list", "from", "revoked")
    rows.columns[3].justify = "right"
    for each in lists:
        made = show.when(each.this_update)[:10]
        overdue = each.HasField("next_update") and from_timestamp(each.next_update) < now
        age = f"\n{(now - from_timestamp(each.this_update)).days} days old"
        rows.add_row(
            each.country,
            each.issuer,
            Text.assemble(made, age, ("\noverdue", "yellow") if overdue else ""),
            f"{each.revoked:,}",
        )
    return rows


def _tell(name: str, answer: trust_pb2.ImportTrustResponse, *, dry_run: bool) -> None:
    show.console.print(Text.assemble((name, "bold"), f": {import_words(answer, dry_run=dry_run)}"))
    if answer.refused:
        show.console.print(refusals_view(answer))
        more = len(answer.refused) - SHOWN_REFUSALS
        if more > 0:
            show.console.print(f"and {more} more (--json has them all)")


def _validity(certificate: trust_pb2.TrustedCertificate, now: datetime) -> Text:
    start, end = (show.when(each)[:10] for each in (certificate.not_before, certificate.not_after))
    text = Text(f"{start}\n{end}")
    if from_timestamp(certificate.not_after) < now:
        text.append("\nexpired", "yellow")
    elif from_timestamp(certificate.not_before) > now:
        text.append("\nnot yet", "yellow")
    return text


def _totals_sentence(page: trust_pb2.ListTrustedResponse, shown: int) -> str:
    if not page.version:
        return "Nothing is trusted yet: chips can't be judged. See docs/trust.md."
    return (
        f"{shown} of {show.count(page.total, 'certificate')}; version {page.version}, of "
        f"{show.when(page.changed_at)} UTC"
    )


def to_sha256(text: str) -> bytes:
    """Read a SHA-256 in hexadecimal, with or without colons and spaces; nothing is none."""
    digits = re.sub(r"[\s:]", "", text).lower()
    if digits and not _SHA256.fullmatch(digits):
        raise typer.BadParameter(
            f"got {len(digits)} characters, want the 64 hexadecimal digits of a SHA-256",
            param_hint="--issuer",
        )
    return bytes.fromhex(digits)


def _parts(path: Path) -> Iterator[tuple[str, bytes]]:
    """A file, or the parts of a large LDIF file: whole records each. Each with its name."""
    if path.stat().st_size > MAX_FILE_BYTES:
        raise InvalidRequestError(f"{path.name}: got more than {MAX_FILE_BYTES:,} bytes")
    data = path.read_bytes()
    if len(data) <= PART_BYTES or b"dn:" not in data[:PART_BYTES]:
        yield path.name, data
        return
    parts = list(ldif_parts(data, PART_BYTES))
    for number, part in enumerate(parts, 1):
        yield f"{path.name} (part {number} of {len(parts)})", part


def ldif_parts(data: bytes, size: int) -> Iterator[bytes]:
    """Cut LDIF between records (blank lines, RFC 2849) into parts of at most `size` bytes each.

    A record that is longer is a part of its own.
    """
    start = end = 0
    for blank in _BLANK_LINE.finditer(data):
        if blank.end() - start > size and end > start:
            yield data[start:end]
            start = end
        end = blank.end()
    if len(data) - start > size and end > start:
        yield data[start:end]
        start = end
    if data[start:].strip():
        yield data[start:]
