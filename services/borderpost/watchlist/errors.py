"""The errors of the watchlist service alone; the shared ones are in `borderpost.runtime.errors`."""

from __future__ import annotations

import grpc

from borderpost.runtime.errors import BorderpostError


class WatchlistExistsError(BorderpostError):
    """A list with this id exists and has other content."""

    code = grpc.StatusCode.ALREADY_EXISTS
    reason = "WATCHLIST_EXISTS"


class WatchlistNotFoundError(BorderpostError):
    """There is no list with this id."""

    code = grpc.StatusCode.NOT_FOUND
    reason = "WATCHLIST_NOT_FOUND"


class EntryExistsError(BorderpostError):
    """An entry with this id exists and has other content."""

    code = grpc.StatusCode.ALREADY_EXISTS
    reason = "ENTRY_EXISTS"


class EntryNotFoundError(BorderpostError):
    """There is no entry with this id; it may have been removed."""

    code = grpc.StatusCode.NOT_FOUND
    reason = "ENTRY_NOT_FOUND"


class EntryExpiredError(BorderpostError):
    """The entry's validity ended before it was approved."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = "ENTRY_EXPIRED"


class SecondPersonNeededError(BorderpostError):
    """Who proposed an entry can't approve it."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = "SECOND_PERSON_NEEDED"


class VersionNotReachedError(BorderpostError):
    """The caller asks for a version that this service has not reached."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = "VERSION_NOT_REACHED"
