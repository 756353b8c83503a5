"""`borderpost keys …`: the key-encryption keys of this host's key stores. Not through the gateway: where the files
are."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Final

import typer
from rich.progress import Progress

from borderpost.cli import show
from borderpost.cli.options import Json
from borderpost.runtime.key_encryption import (
    FileKeyWrapper,
    KeyEncryptionError,
    KeyWrapper,
    add_key,
    remove_key,
)
from borderpost.runtime.keys import SqlKeyStore, open_postgres_keys, open_sqlite_keys
from borderpost.runtime.settings import Settings, load_settings

app = typer.Typer(
    help="Key-encryption keys: make, change and retire them, on the host of the services.",
    no_args_is_help=True,
)

STORES: Final = ("decisions", "watchlist")


@app.command()
def new() -> None:
    """Add a key-encryption key to the file; from now on it encrypts. Makes the file if there is none.

    Example: `borderpost keys new`
    """
    path = load_settings().key_encryption_file
    kek_id = add_key(path)
    show.console.print(
        f"{kek_id} is in {path}: keep a copy of that file apart from the databases and their backups."
    )


@app.command()
def status(as_json: Json = False) -> None:
    """Say how many keys each key-encryption key encrypts, in each key store of this host.

    Example: `borderpost keys status`
    """
    settings = load_settings()
    wrapper = FileKeyWrapper(settings.key_encryption_file)
    counts = {}
    for name in STORES:
        with _opened(name, settings, wrapper) as store:
            counts[name] = {} if store is None else store.by_kek()
    plain = {"current": wrapper.current, "keks": list(wrapper.ids), "stores": counts}
    rows = show.table("key-encryption key", *STORES, "")
    for kek_id in dict.fromkeys((*wrapper.ids, *(kek for found in counts.values() for kek in found))):
        missing = "" if kek_id in wrapper.ids else "NOT IN THE FILE: what it encrypts can't be read"
        rows.add_row(
            kek_id,
            *(f"{counts[name].get(kek_id, 0):,}" for name in STORES),
            "encrypts" if kek_id == wrapper.current else missing,
        )
    show.emit(as_json, plain, lambda: rows)


@app.command()
def rotate() -> None:
    """Make a new key-encryption key and encrypt all keys by it, while the services run. If interrupted: `keys rewrap`.

    Example: `borderpost keys rotate`
    """
    new()
    rewrap()


@app.command()
def rewrap() -> None:
    """Encrypt all keys by the key-encryption key that is current, going on where it was interrupted.

    Example: `borderpost keys rewrap`
    """
    settings = load_settings()
    wrapper = FileKeyWrapper(settings.key_encryption_file)
    for name in STORES:
        with _opened(name, settings, wrapper) as store:
            if store is not None:
                _rewrap(name, store, wrapper)
    old = ", ".join(wrapper.ids[:-1])
    if old:
        show.console.print(
            f"Older: {old}. `borderpost keys retire ID` removes one that nothing needs any more."
        )


@app.command()
def retire(
    kek_id: Annotated[str, typer.Argument(help="The key-encryption key.")],
    absent: Annotated[
        bool,
        typer.Option("--absent", help="Although a key store isn't on this host, which may still need it."),
    ] = False,
) -> None:
    """Remove a key-encryption key that encrypts nothing any more. Old copies of the key stores can't be read without
    it.

    Example: `borderpost keys retire kek-0123456789ab`
    """
    settings = load_settings()
    wrapper = FileKeyWrapper(settings.key_encryption_file)
    for name in STORES:
        with _opened(name, settings, wrapper) as store:
            if store is None and not absent:
                raise KeyEncryptionError(
                    f"{name}: its key store isn't where these settings say, and may need {kek_id}: look there, or "
                    "say --absent"
                )
            used = 0 if store is None else store.by_kek().get(kek_id, 0)
        if used:
            raise KeyEncryptionError(
                f"{kek_id}: {used:,} keys of {name} are encrypted by it: `borderpost keys rewrap` first"
            )
    remove_key(settings.key_encryption_file, kek_id)
    show.console.print(
        f"{kek_id} is gone from {settings.key_encryption_file}: destroy other copies of it, too."
    )


def _rewrap(name: str, store: SqlKeyStore, wrapper: KeyWrapper) -> None:
    counts = store.by_kek()
    todo = sum(counts.values()) - counts.get(wrapper.current, 0)
    with Progress(console=show.console, disable=not show.console.is_terminal) as progress:
        task = progress.add_task(name, total=todo)
        done = store.rewrap(lambda count: progress.advance(task, count))
    show.console.print(f"{name}: {done:,} keys are encrypted by {wrapper.current} now.")


@contextmanager
def _opened(name: str, settings: Settings, wrapper: KeyWrapper) -> Iterator[SqlKeyStore | None]:
    """A service's key store, or None if there is none (yet)."""
    if name == "decisions":
        database, folder = settings.decisions.key_database, settings.decisions_keys
    else:
        database, folder = settings.watchlist.key_database, settings.watchlist_keys
    path = folder / "keys.sqlite"
    if database is None and not path.exists():
        yield None
        return
    store = (
        open_sqlite_keys(path, wrapper)
        if database is None
        else open_postgres_keys(database, f"{name} keys", wrapper)
    )
    try:
        yield store
    finally:
        store.close()
