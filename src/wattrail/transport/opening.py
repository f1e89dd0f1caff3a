"""Why a device or an address cannot be opened, and how to fix it."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from wattrail.errors import PortOpenError

__all__ = ["address_open_error", "device_open_error"]

_ABSENT = frozenset({errno.ENOENT, errno.ENODEV, errno.ENXIO})


def device_open_error(url: str, path: str, error: OSError, *, missing: str) -> PortOpenError:
    """The error for a device file that cannot be opened; ``missing`` is the hint for one that does not exist."""
    if isinstance(error, FileNotFoundError) or error.errno in _ABSENT:
        return PortOpenError(f"{url}: there is no device {path}", hint=missing)
    # Windows says "access denied" for a port that another program has open.
    if error.errno == errno.EBUSY or (isinstance(error, PermissionError) and os.name == "nt"):
        return PortOpenError(
            f"{url}: {path} is in use by another program",
            hint=f"close the other program; on Linux 'fuser -v {path}' names it. ModemManager tries out a new adapter"
            " for half a minute: wait, or sudo systemctl stop ModemManager",
        )
    if isinstance(error, PermissionError):
        return PortOpenError(f"{url}: no permission to open {path}", hint=_permission_hint(path))
    return PortOpenError(f"{url}: {path} does not open: {error.strerror or error}")


def address_open_error(url: str, error: OSError) -> PortOpenError:
    """The error for a host and port that cannot be connected."""
    if isinstance(error, ConnectionRefusedError):
        hint = "nothing listens there: check the port number, and that the server runs"
    elif isinstance(error, TimeoutError):
        hint = "the host does not answer: check its address, its power and the network"
    else:
        hint = None
    return PortOpenError(f"{url}: cannot connect: {error.strerror or error or 'no answer in time'}", hint=hint)


def _permission_hint(path: str) -> str:
    try:
        group = Path(path).group()
    except (OSError, KeyError, NotImplementedError):
        return f"ask the system's administrator for access to {path}"
    return f"{path} belongs to the group {group}: sudo usermod -aG {group} $USER, then log in again"
