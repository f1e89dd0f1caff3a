"""What an error means to a meter: its state, the text that is safe to show, and whether its account still holds."""

from __future__ import annotations

from typing import NamedTuple

from wattrail.errors import (
    LinkError,
    PortError,
    PortTimeout,
    StoreUnavailable,
    StoreUncertain,
    TargetError,
    WattrailError,
)
from wattrail.gateway.view import MeterState
from wattrail.sanitize import hide_credentials, printable, url_secrets

__all__ = ["DEFECT_HINT", "ShownFailure", "is_passing", "shown_failure"]

DEFECT_HINT = "this is a defect: report it with the log"


class ShownFailure(NamedTuple):
    """What a view shows of an error."""

    state: MeterState
    text: str
    hint: str | None


def shown_failure(error: Exception, url: str = "") -> ShownFailure:
    """How a meter is shown after an error. One that is not of this package is a defect, which the caller logs.

    A peer may have written parts of the text, and ``url`` may hold a secret.
    """
    if not isinstance(error, WattrailError):
        text = _safe(f"{type(error).__name__}: {error}", url)
        return ShownFailure(MeterState.FAILED, text, DEFECT_HINT)
    return ShownFailure(_state_after(error), _safe(str(error), url), _safe(error.hint, url) if error.hint else None)


def is_passing(error: Exception) -> bool:
    """Whether the store could not be written and has certainly written nothing: what waits is stored later."""
    return isinstance(error, StoreUnavailable) and not isinstance(error, StoreUncertain)


def _state_after(error: WattrailError) -> MeterState:
    match error:
        case LinkError() | PortTimeout() | TargetError():
            return MeterState.STALE
        case PortError():
            return MeterState.LOST
        case _:
            return MeterState.FAILED


def _safe(text: str, url: str) -> str:
    return printable(hide_credentials(text, *url_secrets(url)))
