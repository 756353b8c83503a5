"""A specimen chip as a folder of files, for trials: written by the command, read by a simulated kiosk.

`COM.bin`, `SOD.bin`, `DG1.bin` and so on are the elementary files; `signer.cer` the document signer; `chip.json` the
printed lines and how the chip answers; `chip.key` its private key, where it has one; `trust/` what the state publishes.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from borderpost.specimens.active import ACTIVE_ALGORITHMS, ChipKey
from borderpost.specimens.chip import SpecimenChip, SpecimenError

FILE_NAMES: Final = ("COM", "SOD", "DG1", "DG2", "DG11", "DG12", "DG14", "DG15")
TRUST: Final = "trust"
TRUST_FILES: Final = ("csca.cer", "crl.crl", "masterlist.ml", "pkd.ldif")
SIGNER: Final = "signer.cer"
KEY: Final = "chip.key"
DESCRIPTION: Final = "chip.json"

MAX_FILE_BYTES: Final = 4 * 1024 * 1024
"""What a kiosk may send of one chip."""

OWNER_ONLY: Final = 0o600


def save_chip(chip: SpecimenChip, folder: Path) -> None:
    """Write a chip to a folder, which is made if need be; files of an earlier chip in it are replaced or removed.

    Raises SpecimenError where the folder can't be written.
    """
    try:
        (folder / TRUST).mkdir(parents=True, exist_ok=True)
        for name in FILE_NAMES:
            _write_or_remove(folder / f"{name}.bin", chip.files.get(name))
        (folder / SIGNER).write_bytes(chip.signer)
        for name in TRUST_FILES:
            (folder / TRUST / name).write_bytes(chip.trust[name])
        _save_key(chip, folder / KEY)
        described = {"printed": list(chip.printed), "active": chip.key.algorithm.name if chip.key else None}
        (folder / DESCRIPTION).write_text(json.dumps(described, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise SpecimenError(f"{folder}: {error.strerror or error}") from None


def _write_or_remove(path: Path, content: bytes | None) -> None:
    if content is None:
        path.unlink(missing_ok=True)
    else:
        path.write_bytes(content)


def _save_key(chip: SpecimenChip, path: Path) -> None:
    path.unlink(missing_ok=True)
    if chip.key is None:
        return
    pem = chip.key.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY), "wb") as file:
        file.write(pem)


def load_chip(folder: Path) -> SpecimenChip:
    """Read a chip back. Raises SpecimenError where the folder holds none, or a damaged one."""
    try:
        described: dict[str, Any] = json.loads(_read(folder / DESCRIPTION))
        printed, active = tuple(str(line) for line in described["printed"]), described["active"]
        paths = ((name, folder / f"{name}.bin") for name in FILE_NAMES)
        trust = {name: _read(folder / TRUST / name) for name in TRUST_FILES}
        return SpecimenChip(
            files={name: _read(path) for name, path in paths if path.exists()},
            signer=_read(folder / SIGNER),
            csca=trust["csca.cer"],
            crl=trust["crl.crl"],
            trust=trust,
            printed=printed,
            key=None if active is None else _load_key(active, folder / KEY),
        )
    except OSError as error:
        raise SpecimenError(
            f"{folder}: {error.strerror or error}: want a folder of a specimen chip"
        ) from None
    except (ValueError, KeyError, TypeError) as error:
        raise SpecimenError(f"{folder}: {DESCRIPTION} or {KEY} is damaged ({type(error).__name__})") from None


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        content = file.read(MAX_FILE_BYTES + 1)
    if len(content) > MAX_FILE_BYTES:
        raise SpecimenError(f"{path}: want at most {MAX_FILE_BYTES:,} bytes")
    return content


def _load_key(active: str, path: Path) -> ChipKey:
    """Read the private key. Raises KeyError for an unknown algorithm, ValueError for what is no key for it."""
    algorithm = ACTIVE_ALGORITHMS[active]
    private = load_pem_private_key(_read(path), password=None)
    wanted = ec.EllipticCurvePrivateKey if algorithm.curve else rsa.RSAPrivateKey
    if not isinstance(private, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) or not isinstance(
        private, wanted
    ):
        raise ValueError("a key of another kind")
    return ChipKey(algorithm, private)
