"""Bundles between agencies: what was written is read, by the one it is for; whatever was changed is refused whole."""

from __future__ import annotations

import hashlib
import io
import json
import threading
import tracemalloc

import pyrage
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from borderpost.v1 import types_pb2, watchlist_pb2
from borderpost.watchlist import bundles
from borderpost.watchlist.bundles import (
    BundleHeader,
    BundleInvalidError,
    check_bundle,
    read_rows,
    write_bundle,
)
from borderpost.watchlist.partners import (
    MAX_PARTNERS_BYTES,
    BundleIdentityError,
    Partner,
    PartnersError,
    load_identity,
    load_partners,
)
from fakes.exchange import entries

NAME = "Utopia"
CONTENT = "Somebodysname"
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER_KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
IDENTITY = pyrage.x25519.Identity.generate()
OTHER_IDENTITY = pyrage.x25519.Identity.generate()
RECIPIENT = str(IDENTITY.to_public())
HEADER = BundleHeader("Wanted", "WANTED", "Ministry", "Police Act, 12", 7, "2026-11-26T00:00:00Z")
PARTNER = Partner(NAME, str(OTHER_IDENTITY.to_public()), KEY.public_key())


def a_row(number: int = 1) -> watchlist_pb2.ImportRow:
    name = watchlist_pb2.PersonName(primary_identifier=CONTENT)
    entry = watchlist_pb2.Entry(entry_id=f"e{number}", names=[name], reason_code="A1")
    return watchlist_pb2.ImportRow(row=number, record_id=f"r{number}", entry=entry)


def written(path, rows, key=KEY, name=NAME, recipient=RECIPIENT, header=HEADER):
    with path.open("wb") as out:
        return write_bundle(out, header, rows, key, name, recipient)


def opened(path, identity=IDENTITY, partners=(PARTNER,)):
    return check_bundle(path, identity, partners)


def refused(path, **how):
    with pytest.raises(BundleInvalidError) as error:
        opened(path, **how)
    assert CONTENT not in error.value.message
    assert error.value.reason == "BUNDLE_INVALID"
    return error.value.message


def sealed(path, plain: bytes, identity=IDENTITY):
    """What a hostile sender can do: encrypt anything."""
    path.write_bytes(pyrage.encrypt(plain, [identity.to_public()]))
    return path


def plain_of(path) -> bytes:
    return pyrage.decrypt(path.read_bytes(), [IDENTITY])


def parts(plain: bytes) -> list[bytes]:
    """The magic line and the frames."""
    found, at = [plain[: len(bundles.MAGIC)]], len(bundles.MAGIC)
    while at < len(plain):
        end = at + 5 + int.from_bytes(plain[at + 1 : at + 5], "big")
        found.append(plain[at:end])
        at = end
    return found


def test_what_was_written_is_opened_and_read(tmp_path):
    path = tmp_path / "b"
    info = written(path, [a_row(9), a_row(3)])
    assert (info.size, info.rows) == (path.stat().st_size, 2)
    assert info.sha256 == hashlib.sha256(path.read_bytes()).digest()
    got = opened(path)
    assert (got.partner, got.header, got.rows, got.sha256) == (PARTNER, HEADER, 2, info.sha256)
    rows = list(read_rows(path, IDENTITY, got))
    assert [(row.row, row.record_id) for row in rows] == [(1, "r9"), (2, "r3")]
    assert rows[0].entry.names[0].primary_identifier == CONTENT


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(entries(), max_size=3))
def test_every_entry_comes_out_as_it_went_in(tmp_path, sent):
    path = tmp_path / "b"
    written(path, [watchlist_pb2.ImportRow(entry=entry) for entry in sent])
    rows = list(read_rows(path, IDENTITY, opened(path)))
    assert [row.record_id for row in rows] == [entry.entry_id for entry in sent]
    for entry in sent:
        entry.ClearField("entry_id")
    assert [row.entry for row in rows] == sent


def test_an_empty_list_makes_a_bundle_too(tmp_path):
    written(tmp_path / "b", [])
    assert opened(tmp_path / "b").rows == 0
    assert list(read_rows(tmp_path / "b", IDENTITY)) == []


def test_who_proposed_and_approved_stays_in_the_house(tmp_path):
    row = a_row()
    row.entry.list_id = "l"
    row.entry.state = watchlist_pb2.ENTRY_STATE_ACTIVE
    row.entry.approved_by.CopyFrom(types_pb2.Actor(subject="x"))
    row.entry.provenance.source = "another partner"
    written(tmp_path / "b", [row])
    (got,) = read_rows(tmp_path / "b", IDENTITY)
    assert got.entry == watchlist_pb2.Entry(names=row.entry.names, reason_code="A1")
    assert row.entry.approved_by.subject  # the caller's own message is left as it is


def test_a_large_bundle_is_read_in_pieces(tmp_path):
    picture = bytes(1024 * 1024)
    rows = (
        watchlist_pb2.ImportRow(record_id=str(number), entry=watchlist_pb2.Entry(pictures=[picture]))
        for number in range(40)
    )
    written(tmp_path / "b", rows)
    tracemalloc.start()
    try:
        assert opened(tmp_path / "b").rows == 40
        assert sum(1 for _ in read_rows(tmp_path / "b", IDENTITY)) == 40
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 20 * len(picture)


# Not for us, not from a partner.


def test_another_recipient_cant_open_it(tmp_path):
    written(tmp_path / "b", [a_row()], recipient=str(OTHER_IDENTITY.to_public()))
    assert "can't be decrypted" in refused(tmp_path / "b")


def test_another_signer_is_refused(tmp_path):
    written(tmp_path / "b", [a_row()], key=OTHER_KEY)
    assert "signature" in refused(tmp_path / "b")


@pytest.mark.parametrize("name", ["", "Utopia ", "Elsewhere"])
def test_an_issuer_who_is_no_partner_is_refused(tmp_path, name):
    written(tmp_path / "b", [a_row()], name=name)
    assert "partner" in refused(tmp_path / "b")


def test_a_partner_who_gives_another_partners_name_is_refused(tmp_path):
    other = Partner("Other", PARTNER.recipient, OTHER_KEY.public_key())
    written(tmp_path / "b", [a_row()], key=OTHER_KEY, name=NAME)
    refused(tmp_path / "b", partners=[PARTNER, other])


def test_what_a_partner_was_sent_cant_be_sent_on_in_the_issuers_name(tmp_path):
    written(tmp_path / "b", [a_row()])
    sealed(tmp_path / "again", plain_of(tmp_path / "b"), OTHER_IDENTITY)
    assert "recipient" in refused(tmp_path / "again", identity=OTHER_IDENTITY)
    sealed(tmp_path / "same", plain_of(tmp_path / "b"))  # encrypted anew to the same one it still holds
    assert opened(tmp_path / "same").rows == 1


# Tampering, inside the encryption: what anybody can do who knows the recipient.


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    path = tmp_path_factory.mktemp("bundle") / "b"
    written(path, [a_row(1), a_row(2), a_row(3)])
    return plain_of(path)


def test_every_flipped_byte_inside_is_refused(tmp_path, plain):
    assert opened(sealed(tmp_path / "b", plain)).rows == 3
    for place in range(len(plain)):
        changed = bytearray(plain)
        changed[place] ^= 1
        refused(sealed(tmp_path / "b", bytes(changed)))


def test_every_length_inside_but_the_whole_is_refused(tmp_path, plain):
    for length in range(len(plain)):
        refused(sealed(tmp_path / "b", plain[:length]))
    for more in (b"\0", b"T", plain, parts(plain)[-1]):
        refused(sealed(tmp_path / "b", plain + more))


def test_parts_that_are_exchanged_doubled_or_left_out_are_refused(tmp_path, plain):
    magic, header, one, two, three, trailer = parts(plain)
    for wrong in (
        [magic, header, two, one, three, trailer],
        [magic, header, one, two, trailer],
        [magic, header, one, one, two, three, trailer],
        [magic, one, two, three, trailer],
        [magic, header, header, one, two, three, trailer],
        [magic, header, one, two, three],
        [magic, header, one, two, three, trailer, trailer],
        [header, one, two, three, trailer],
        [magic, trailer],
    ):
        refused(sealed(tmp_path / "b", b"".join(wrong)))


def header_with(**changes) -> bytes:
    values = {
        "issuer": NAME,
        "list_name": "Wanted",
        "category": "WANTED",
        "authority": "Ministry",
        "legal_basis": "Police Act, 12",
        "version": 7,
        "created_at": "2026-11-26T00:00:00Z",
    }
    return json.dumps({key: value for key, value in (values | changes).items() if value is not None}).encode()


@pytest.mark.parametrize("content", [header_with(list_name="Other"), header_with(version=8)])
def test_another_header_before_the_same_rows_is_refused(tmp_path, plain, content):
    magic, _, *rest = parts(plain)
    refused(sealed(tmp_path / "b", b"".join([magic, bundles._frame(b"H", content), *rest])))


@pytest.mark.parametrize(
    "content",
    [
        header_with(list_name=None),
        header_with(more=1),
        header_with(list_name=1),
        header_with(version=True),
        header_with(version=-1),
        header_with(version=2**64),
        header_with(version="7"),
        header_with(list_name="x" * 1001),
        header_with(list_name="\ud800"),
        header_with(created_at="yesterday"),
        b"[" * 60_000,
        b"\xff",
        b"[]",
        b'{"version":' + b"9" * 5000 + b"}",
        b"x" * (bundles.MAX_HEADER_BYTES + 1),
    ],
)
def test_a_header_of_another_form_is_refused_though_a_partner_signed_it(tmp_path, plain, content):
    magic, _, *rows, _ = parts(plain)
    signed = b"".join([magic, bundles._frame(b"H", content), *rows])
    digest = hashlib.sha256(signed).digest()
    signature = KEY.sign(bundles._signed_bytes(RECIPIENT, len(rows), digest))
    trailer = bundles._frame(b"T", len(rows).to_bytes(8, "big") + digest + signature)
    refused(sealed(tmp_path / "b", signed + trailer))


@pytest.mark.parametrize(
    "frame",
    [
        b"R" + (bundles.MAX_ROW_BYTES + 1).to_bytes(4, "big"),
        b"R\xff\xff\xff\xff",
        b"T\xff\xff\xff\xff",
        b"X\0\0\0\1x",
        b"R\0\0\0\1\xff",
        b"R\0\0\0\0",
    ],
)
def test_a_part_that_is_too_long_or_unknown_is_refused_at_once_and_not_held(tmp_path, plain, frame):
    magic, header, *_ = parts(plain)
    sealed(tmp_path / "b", magic + header + frame + bytes(8 * 1024 * 1024))
    tracemalloc.start()
    try:
        refused(tmp_path / "b")
        with pytest.raises(BundleInvalidError):
            list(read_rows(tmp_path / "b", IDENTITY))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1024 * 1024


def test_more_rows_than_there_may_be_are_refused(tmp_path, plain, monkeypatch):
    monkeypatch.setattr(bundles, "MAX_ROWS", 2)
    refused(sealed(tmp_path / "b", plain))
    with pytest.raises(BundleInvalidError):
        written(tmp_path / "b", [a_row()] * 3)


def test_a_row_that_no_reader_would_take_is_not_written(tmp_path):
    large = watchlist_pb2.Entry(pictures=[bytes(bundles.MAX_ROW_BYTES)])
    for row in (watchlist_pb2.ImportRow(record_id="r"), watchlist_pb2.ImportRow(entry=large)):
        with pytest.raises(BundleInvalidError, match="row 1"):
            written(tmp_path / "b", [row])
    with pytest.raises(BundleInvalidError, match="header"):
        written(tmp_path / "b", [], header=BundleHeader("x" * 2000, "", "", "", 1, HEADER.created_at))


def test_an_error_of_the_rows_own_maker_is_the_one_that_is_raised(tmp_path):
    def rows():
        yield a_row()
        raise KeyError("database")

    with pytest.raises(KeyError, match="database"):
        written(tmp_path / "b", rows())


# Tampering outside.


def test_every_flipped_byte_outside_is_refused(tmp_path):
    path = tmp_path / "b"
    written(path, [a_row()])
    whole = path.read_bytes()
    for place in range(len(whole)):
        changed = bytearray(whole)
        changed[place] ^= 1
        path.write_bytes(changed)
        refused(path)


def test_every_length_outside_but_the_whole_is_refused(tmp_path):
    path = tmp_path / "b"
    written(path, [a_row()])
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        refused(path)
    for more in (b"\0", whole):
        path.write_bytes(whole + more)
        refused(path)


def test_a_whole_chunk_that_is_cut_off_is_refused(tmp_path):
    """Age encrypts 64 KiB at a time: a file that ends between two of them was cut, too."""
    path = tmp_path / "b"
    entry = watchlist_pb2.Entry(pictures=[bytes(200_000)])
    written(path, [watchlist_pb2.ImportRow(entry=entry)])
    whole = path.read_bytes()
    start = len(whole) - 200_000 % 65_536
    for end in range(start - 1000, start + 1000, 100):
        path.write_bytes(whole[:end])
        refused(path)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.binary(max_size=500), st.sampled_from([b"", bundles._AGE_START, bundles._AGE_START + b"-> X25519 "])
)
def test_random_bytes_are_refused(tmp_path, data, start):
    (tmp_path / "b").write_bytes(start + data)
    refused(tmp_path / "b")


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=500))
def test_random_bytes_inside_are_refused(tmp_path, data):
    refused(sealed(tmp_path / "b", bundles.MAGIC + data))


def test_a_file_of_nothing_but_recipients_is_refused_before_it_is_read(tmp_path):
    stanza = b"-> X25519 " + b"A" * 43 + b"\n" + b"A" * 43 + b"\n"
    (tmp_path / "b").write_bytes(bundles._AGE_START + stanza * 100_000)
    assert "age" in refused(tmp_path / "b")


def test_a_bundle_for_a_passphrase_is_refused(tmp_path):
    (tmp_path / "b").write_bytes(pyrage.passphrase.encrypt(b"x", "word"))
    refused(tmp_path / "b")


# Reading what was checked.


def test_a_file_that_was_exchanged_after_its_check_is_told_of(tmp_path):
    written(tmp_path / "b", [a_row(1)])
    got = opened(tmp_path / "b")
    written(tmp_path / "b", [a_row(2)])
    with pytest.raises(BundleInvalidError, match="changed"):
        list(read_rows(tmp_path / "b", IDENTITY, got))


def test_a_reader_that_stops_early_leaves_no_thread_behind(tmp_path):
    written(tmp_path / "b", (a_row(number) for number in range(1, 500)))
    rows = read_rows(tmp_path / "b", IDENTITY)
    assert next(rows).row == 1
    rows.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "bundle"]


def test_a_file_that_isnt_there_is_an_error_of_the_file(tmp_path):
    for read in (opened, lambda path: list(read_rows(path, IDENTITY))):
        with pytest.raises(FileNotFoundError):
            read(tmp_path / "none")


# Keys and partners.


def pem(key) -> str:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(serialization.Encoding.PEM, form).decode()


def table(name=NAME, recipient=RECIPIENT, key=None, more="") -> str:
    return (
        f'[[partner]]\nname = "{name}"\nrecipient = "{recipient}"\n'
        f'verify_key = """\n{key or pem(KEY)}"""\n{more}\n'
    )


def test_partners_are_read(tmp_path):
    path = tmp_path / "partners.toml"
    path.write_text(table() + table("Other", key=pem(OTHER_KEY)))
    partners = load_partners(path)
    assert list(partners) == [NAME, "Other"]
    assert partners[NAME].recipient == RECIPIENT
    assert partners["Other"].verify_key == OTHER_KEY.public_key()
    path.write_text("")
    assert load_partners(path) == {}


@pytest.mark.parametrize(
    "text",
    [
        "partner = 1",
        "[[partner]]\nname = 'x'",
        "nonsense",
        "partner = [1]",
        table(more="extra = 1"),
        table(name=" "),
        table(recipient="age1x"),
        table(recipient=str(IDENTITY)),
        table(key="no key"),
        table(key=pem(ec.generate_private_key(ec.SECP256R1()))),
        table() + table(),
    ],
)
def test_a_file_of_partners_that_says_what_cant_be_is_refused(tmp_path, text):
    path = tmp_path / "partners.toml"
    path.write_text(text)
    with pytest.raises(PartnersError, match=r"partners\.toml") as error:
        load_partners(path)
    assert str(IDENTITY) not in error.value.message


def test_a_file_of_partners_that_isnt_there_or_is_huge_is_refused(tmp_path):
    with pytest.raises(PartnersError, match="No such file"):
        load_partners(tmp_path / "none.toml")
    (tmp_path / "huge.toml").write_text("#" * (MAX_PARTNERS_BYTES + 1))
    with pytest.raises(PartnersError, match="short"):
        load_partners(tmp_path / "huge.toml")


def test_an_identity_is_made_once_and_nobody_else_can_read_it(tmp_path):
    path = tmp_path / "keys" / "age.key"
    first, second = load_identity(path, make=True), load_identity(path, make=False)
    assert str(first) == str(second)
    assert path.stat().st_mode & 0o077 == 0
    assert list(path.parent.iterdir()) == [path]
    assert f"# public key: {first.to_public()}" in path.read_text()


def test_production_makes_no_identity(tmp_path):
    with pytest.raises(BundleIdentityError, match="age-keygen"):
        load_identity(tmp_path / "age.key", make=False)


@pytest.mark.parametrize("text", ["", "nothing", "AGE-SECRET-KEY-1XX", f"{IDENTITY}\n{IDENTITY}", "é"])
def test_a_file_that_is_no_identity_is_named(tmp_path, text):
    path = tmp_path / "age.key"
    path.write_text(text)
    with pytest.raises(BundleIdentityError, match=r"age\.key") as error:
        load_identity(path, make=True)
    assert str(IDENTITY) not in error.value.message


def test_what_is_written_to_can_be_any_stream():
    out = io.BytesIO()
    info = write_bundle(out, HEADER, [a_row()], KEY, NAME, RECIPIENT)
    assert len(out.getvalue()) == info.size
