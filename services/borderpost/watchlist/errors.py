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
    """An entry with this id exists and has other content, or was removed."""

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
    """Who proposed something can't approve it."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = "SECOND_PERSON_NEEDED"


class VersionNotReachedError(BorderpostError):
    """The caller asks for a version that this service has not reached."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = "VERSION_NOT_REACHED"


class NotReadyError(BorderpostError):
    """The index is being built from the database."""

    code = grpc.StatusCode.UNAVAILABLE
    reason = "NOT_READY"


class ListNotPermittedError(BorderpostError):
    """The caller's scopes don't name this list."""

    code = grpc.StatusCode.PERMISSION_DENIED
    reason = "LIST_NOT_PERMITTED"


class EntryWithdrawnError(BorderpostError):
    """The entry was withdrawn before it was approved."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = "ENTRY_WITHDRAWN"


class EntryChangedError(BorderpostError):
    """The entry's templates are no longer those that were found."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = "ENTRY_CHANGED"


class PairInvalidError(BorderpostError):
    """The pair was not made by a search of this installation."""

    code = grpc.StatusCode.INVALID_ARGUMENT
    reason = "PAIR_INVALID"


class SuppressionExistsError(BorderpostError):
    """A suppression with this id exists and has other content, or another one is about the same pair."""

    code = grpc.StatusCode.ALREADY_EXISTS
    reason = "SUPPRESSION_EXISTS"


class TooManySuppressionsError(BorderpostError):
    """A list has as many suppressions as it may."""

    code = grpc.StatusCode.RESOURCE_EXHAUSTED
    reason = "TOO_MANY_SUPPRESSIONS"


class SuppressionNotFoundError(BorderpostError):
    """There is no suppression with this id."""

    code = grpc.StatusCode.NOT_FOUND
    reason = "SUPPRESSION_NOT_FOUND"


class ImportExistsError(BorderpostError):
    """An import with this id exists and has other content."""

    code = grpc.StatusCode.ALREADY_EXISTS
    reason = "IMPORT_EXISTS"


class ImportNotFoundError(BorderpostError):
    """There is no import with this id."""

    code = grpc.StatusCode.NOT_FOUND
    reason = "IMPORT_NOT_FOUND"


class ImportClosedError(BorderpostError):
    """The import takes no rows any more."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = "IMPORT_CLOSED"


class ImportIncompleteError(BorderpostError):
    """Rows of the import are missing."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = "IMPORT_INCOMPLETE"


class ImportHasErrorsError(BorderpostError):
    """Rows of the import are in error, and are not to be left out."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = "IMPORT_HAS_ERRORS"


class ImportNotFinishedError(BorderpostError):
    """The import is not finished, or an entry belongs to one that is approved as a whole."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = "IMPORT_NOT_FINISHED"


class ImportStaleError(BorderpostError):
    """The list's entries of the import's source changed since it was begun, or entries that it brought were removed."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = "IMPORT_STALE"


class BundleNotFoundError(BorderpostError):
    """There is no bundle with this id (any more)."""

    code = grpc.StatusCode.NOT_FOUND
    reason = "BUNDLE_NOT_FOUND"


class BundleTooLargeError(BorderpostError):
    """A bundle is larger than this service takes."""

    code = grpc.StatusCode.RESOURCE_EXHAUSTED
    reason = "BUNDLE_TOO_LARGE"


class PartnerNotFoundError(BorderpostError):
    """The settings name no such partner."""

    code = grpc.StatusCode.NOT_FOUND
    reason = "PARTNER_NOT_FOUND"


class TooManyListsError(BorderpostError):
    """There are as many lists as there may be."""

    code = grpc.StatusCode.RESOURCE_EXHAUSTED
    reason = "TOO_MANY_LISTS"
