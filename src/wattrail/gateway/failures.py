"""Which state a meter is in after an error, and the error's text made safe to show."""

from __future__ import annotations

from wattrail.errors import LinkError, PortError, PortTimeout, TargetError, WattrailError
from wattrail.gateway.view import MeterState
from wattrail.sanitize import hide_credentials, printable, url_secrets

__all__ = ["DEFECT_HINT", "safe_text", "state_after"]

DEFECT_HINT = "this is a defect: report it with the log"


def state_after(error: WattrailError) -> MeterState:
    """Silent, gone, or wrong."""
    match error:
        case LinkError() | PortTimeout() | TargetError():
            return MeterState.STALE
        case PortError():
            return MeterState.LOST
        case _:
            return MeterState.FAILED


def safe_text(text: str, url: str) -> str:
    """An error text made safe to show, log and send: a peer may have written parts of it, or the URL hold a secret."""
    return printable(hide_credentials(text, *url_secrets(url)))
