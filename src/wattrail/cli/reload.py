"""``wattrail reload``."""

from __future__ import annotations

import json as json_text
import os
import platform
import signal
from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter

from wattrail.app.config import FILE_NAME, database_of, demo_database, load_config
from wattrail.cli import clock, output
from wattrail.cli.database_option import DatabaseOption
from wattrail.cli.exits import Exit, UsageError
from wattrail.cli.target import Json
from wattrail.database_address import DatabaseAddress
from wattrail.store import LockHolder, ReloadOutcome, lock_holder

_WAIT_S: Final = 60.0
"""Seconds for an outcome: meters and publishers that block have some seconds each to end."""

_LOOK_EVERY_S: Final = 0.1


def reload(
    *,
    config: Annotated[Path | None, Parameter(help=f"Configuration file; else {FILE_NAME} here, else your own.")] = None,
    database: DatabaseOption = None,
    json: Json = False,
) -> int:
    """Let a running gateway read its configuration again.

    The file is checked here first, and by the gateway as a whole. A wrong one changes nothing. Meters, publishers and
    alarms that did not change run on.
    """
    written = load_config(config)
    place = database or (database_of(written) if written and written.meter else demo_database())
    before = lock_holder(place)
    if before is None:
        raise UsageError(f"no gateway runs on {place}", hint="start it: wattrail run, or systemctl start wattrail")
    outcome = _reloaded(before, place)
    if json:
        print(json_text.dumps({"at": outcome.at, "changes": outcome.changes, "error": outcome.error}))
    elif outcome.error:
        output.error(f"the gateway refuses the configuration, and runs on by the one before it: {outcome.error}")
        if outcome.hint:
            output.hint(outcome.hint)
    else:
        print("\n".join(outcome.changes) or "nothing has changed")
    return Exit.USAGE if outcome.error else Exit.DONE


def _reloaded(before: LockHolder, place: DatabaseAddress) -> ReloadOutcome:
    """Send the signal and wait for what comes of it. Raises UsageError."""
    if before.host != platform.node():
        raise UsageError(f"the gateway is {before}, and this is {platform.node()}", hint="type this command there")
    try:
        os.kill(before.pid, signal.SIGHUP)
    except ProcessLookupError:
        raise UsageError(
            f"process {before.pid} is not to be seen from here", hint="in a container: docker kill -s HUP NAME"
        ) from None
    except PermissionError:
        raise UsageError(
            f"process {before.pid} belongs to another user", hint="type: sudo systemctl reload wattrail"
        ) from None
    until = clock.CLOCK.monotonic() + _WAIT_S
    while clock.CLOCK.monotonic() < until:
        now = lock_holder(place)
        if now is None:
            raise UsageError("the gateway ended", hint="its log says why: journalctl -u wattrail")
        if now.reload is not None and now.reload != before.reload:
            return now.reload
        clock.CLOCK.sleep(_LOOK_EVERY_S)
    raise UsageError(f"the gateway has not answered for {_WAIT_S:.0f} s", hint="its log: journalctl -u wattrail")
