"""`borderpost watchlist …`: lists, entries, searches, suppressions and files, by the people who may."""

from __future__ import annotations

import typer

from borderpost.cli import watchlist_entries, watchlist_exchange, watchlist_lists, watchlist_search

app = typer.Typer(
    help="Watchlists: make and measure one; propose, approve, import and export entries; search; suppress.",
    no_args_is_help=True,
)
app.add_typer(watchlist_lists.app)
app.add_typer(watchlist_entries.app)
app.add_typer(watchlist_search.app)
app.add_typer(watchlist_exchange.app)
