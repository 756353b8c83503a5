"""What a service says of a picture, in the words of the gateway's own request."""

from __future__ import annotations

from borderpost.runtime.errors import BorderpostError


def refuses_picture(error: BorderpostError) -> bool:
    """Tell whether an error is about a picture that is none."""
    return error.reason.startswith("PICTURE_")


def own_field(field: str, error: BorderpostError) -> str:
    """Return the field of the gateway's request that an error is about: "live_frames[2]"."""
    theirs, bracket, number = error.details.get("field", "").partition("[")
    return theirs if theirs == "portrait_page" else field + bracket + number


def about(field: str, error: BorderpostError) -> BorderpostError:
    """Say an error about a picture as one about `field`."""
    _, _, what = error.message.partition(": ")
    error.message = f"{field}: {what or error.message}"
    error.details = {**error.details, "field": field}
    return error
