"""Keys to sign with: made once in development, never in production, and only of the right kind."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from borderpost.runtime.signing import SigningKeyError, load_signing_key, write_secret_once


def test_a_key_is_made_once_and_nobody_else_can_read_it(tmp_path):
    path = tmp_path / "keys" / "a.key"
    first, second = load_signing_key(path, make=True), load_signing_key(path, make=False)
    assert first.private_bytes_raw() == second.private_bytes_raw()
    assert path.stat().st_mode & 0o077 == 0
    assert list(path.parent.iterdir()) == [path]


def test_many_that_make_it_at_once_end_up_with_one(tmp_path):
    path = tmp_path / "a.key"
    with ThreadPoolExecutor(8) as pool:
        keys = list(pool.map(lambda _: load_signing_key(path, make=True).private_bytes_raw(), range(16)))
    assert len(set(keys)) == 1


def test_production_makes_none(tmp_path):
    with pytest.raises(SigningKeyError, match="openssl genpkey"):
        load_signing_key(tmp_path / "a.key", make=False)


def test_a_file_that_is_no_key_is_named(tmp_path):
    path = tmp_path / "a.key"
    path.write_bytes(b"no key")
    with pytest.raises(SigningKeyError, match=r"a\.key: can't be read"):
        load_signing_key(path, make=True)


def test_a_key_of_another_kind_is_refused(tmp_path):
    path = tmp_path / "a.key"
    key = ec.generate_private_key(ec.SECP256R1())
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    with pytest.raises(SigningKeyError, match="another kind"):
        load_signing_key(path, make=False)


def test_a_folder_that_cant_be_written_is_a_plain_error(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(SigningKeyError):
        load_signing_key(tmp_path / "file" / "a.key", make=True)


def test_a_secret_that_is_there_is_never_written_over(tmp_path):
    path = tmp_path / "keys" / "secret"
    write_secret_once(path, b"first")
    write_secret_once(path, b"second")
    assert path.read_bytes() == b"first"
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(path.parent.iterdir()) == [path]
