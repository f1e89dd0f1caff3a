"""Who is at this machine: the name under which something is stated, kept or audited where no other is given."""

from __future__ import annotations

import getpass

__all__ = ["person"]


def person() -> str:
    """The name somebody is logged in by; ``unknown`` for an account that only the service manager knows."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # before 3.13 Windows has no pwd to ask, which is an ImportError
        return "unknown"
