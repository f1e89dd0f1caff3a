"""``wattrail reload``."""

from __future__ import annotations

import os
import platform
import signal
from collections.abc import Sequence
from json import dumps
from typing import Final

from wattrail.app.config import database_of, demo_database, load_config
from wattrail.cli import clock, output
from wattrail.cli.exits import Exit, UsageError
from wattrail.cli.option_types import DatabaseOption, FoundConfigOption, Json
from wattrail.database_address import DatabaseAddress
from wattrail.store import LockHolder, ReloadOutcome, lock_holder

_WAIT_S: Final = 60.0
"""Seconds for an outcome: meters and publishers that block have some seconds each to end."""

_LOOK_EVERY_S: Final = 0.1


def reload(
    *,
    config: FoundConfigOption = None,
    database: DatabaseOption = None,
    json: Json = False,
) -> int:
    """Let a running gateway read its configuration again.

    The file is checked here first, and by the gateway as a whole. A wrong one changes nothing. Meters, publishers and
    alarms that did not change run on.
    """
    written = load_config(config)
    # A first meter, or none any more: the gateway still runs on the other one of the two.
    usual = (
        (database_of(written), demo_database())
        if written and written.meter
        else (demo_database(), database_of(written))
    )
    places = (database,) if database else usual
    before = next((holder for place in places if (holder := lock_holder(place))), None)
    if before is None:
        raise UsageError(f"no gateway runs on {places[0]}", hint="start it: wattrail run, or systemctl start wattrail")
    outcome = _reloaded(before, places)
    if json:
        print(dumps({"at": outcome.at, "changes": outcome.changes, "error": outcome.error}))
    elif outcome.error:
        output.error(f"the gateway refuses the configuration, and runs on by the one before it: {outcome.error}")
        if outcome.hint:
            output.hint(outcome.hint)
    else:
        print("\n".join(outcome.changes) or "nothing has changed")
    return Exit.USAGE if outcome.error else Exit.DONE


def _reloaded(before: LockHolder, places: Sequence[DatabaseAddress]) -> ReloadOutcome:
    """Send the signal and wait for what comes of it, on whichever database it runs then. Raises UsageError."""
    # A database may lie on a share, and the number of a process means somebody else's process here.
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
        if not _is_running(before.pid):
            raise UsageError("the gateway ended", hint="its log says why: journalctl -u wattrail")
        for now in map(lock_holder, places):
            if now and now.pid == before.pid and now.reload and now.reload != before.reload:
                return now.reload
        clock.CLOCK.sleep(_LOOK_EVERY_S)
    raise UsageError(f"the gateway has not answered for {_WAIT_S:.0f} s", hint="its log: journalctl -u wattrail")


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
