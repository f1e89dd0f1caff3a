"""A restart of a device: asked for, waited for, and recognised by the uptime."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from wattrail.clock import Clock, Deadline
from wattrail.device.client import DeviceInformation, OpenBekenClient
from wattrail.errors import LinkError, PortError, PortTimeout

__all__ = ["RESTART_TIMEOUT_S", "Note", "Pause", "reboot", "wait_for_restart"]

Pause = Callable[[float], Awaitable[None]]
"""Lets that many seconds pass, as ``asyncio.sleep`` does."""

Note = Callable[[str], None]
"""Takes a line for a person."""

RESTART_TIMEOUT_S: Final = 90.0
"""A restart takes 5 to 15 s: 3 s until it begins, then the radio, the network and its address."""

_EVERY_S: Final = 2.0
_ANSWER_S: Final = 4.0
_CLOCKS_DIFFER_S: Final = 2.0
"""Whole seconds on one side, rounding and the time of an answer on the other."""


async def reboot(client: OpenBekenClient, *, pause: Pause, clock: Clock) -> DeviceInformation:
    """Restart the device and wait until it answers again. Raises PortTimeout if it does not, and what a call does."""
    before, asked_at = await client.information(), clock.monotonic()
    await client.reboot()
    return await wait_for_restart(client, before, asked_at, pause=pause, clock=clock)


async def wait_for_restart(
    client: OpenBekenClient,
    before: DeviceInformation,
    asked_at: float,
    *,
    pause: Pause,
    clock: Clock,
    timeout_s: float = RESTART_TIMEOUT_S,
) -> DeviceInformation:
    """Wait for an answer of a device that has started after ``asked_at``, on the monotonic clock.

    Raises PortTimeout with the last error, which says whether it still runs without a restart.
    """
    deadline, last = Deadline(clock, asked_at + timeout_s), "no answer yet"
    while not deadline.passed:
        # First the pause: the device answers for three more seconds before it goes. Source: openbeken/network
        await pause(_EVERY_S)
        try:
            now = await client.information(timeout_s=_ANSWER_S)
        except (PortError, LinkError) as error:
            last = str(error)
            continue
        # Not that both clocks agree: a module that is emulated on a busy machine is slower than this clock.
        if now.uptime_s < max(before.uptime_s, clock.monotonic() - asked_at - _CLOCKS_DIFFER_S):
            return now
        last = f"it answers, and has not restarted: up for {now.uptime_s} s"
    raise PortTimeout(
        f"{client.name}: not back {timeout_s:g} s after the restart; {last}",
        hint="it may have another address now: look with 'wattrail discover'; then take its supply away and back",
    )
