"""The device that a verb is about, its options, and how a verb runs on it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, TypeVar

from cyclopts import Parameter, validators

from wattrail.app.config import data_dir
from wattrail.cli import clock, output
from wattrail.cli.progress import WorkProgress, open_display
from wattrail.clock import SystemClock
from wattrail.credentials import Secrets

if TYPE_CHECKING:
    from wattrail.device import OpenBekenClient
    from wattrail.transport.http import SendProgress

__all__ = ["DeviceHost", "DeviceOptions", "backups_folder", "on_device", "pause", "progress_of"]

T = TypeVar("T")

DeviceHost = Annotated[str, Parameter(help="Address of the device: 192.168.1.20, a name, or openbeken://HOST.")]
_SECONDS: Final = validators.Number(gte=0.5, lte=300)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class DeviceOptions:
    """What every verb about a device understands."""

    login: Annotated[str, Parameter(help="Name of the stored login of its pages; else the host.")] = ""
    timeout: Annotated[float, Parameter(help="Seconds for one answer (10).", validator=_SECONDS)] = 10.0


def on_device(host: str, options: DeviceOptions | None, work: Callable[[OpenBekenClient], Awaitable[T]]) -> T:
    """Run what a verb does. Raises what that does, UrlError, ConfigError, MissingExtra."""
    from wattrail.device import open_client

    given = options or DeviceOptions()
    client = open_client(host, secrets=Secrets(), login=given.login, timeout_s=given.timeout)

    async def run() -> T:
        return await work(client)

    return asyncio.run(run())


async def pause(seconds: float) -> None:
    """Let time pass: on a clock of a test at once."""
    if isinstance(clock.CLOCK, SystemClock):
        await asyncio.sleep(seconds)
    else:
        clock.CLOCK.sleep(seconds)


def backups_folder(*, simulated: bool) -> Path:
    """Where backups of devices are kept; those of simulated ones apart."""
    folder = data_dir() / "devices"
    return folder / "simulated" if simulated else folder


def progress_of(what: str) -> SendProgress:
    """Shows how far a transfer has come."""
    display, began = open_display(), clock.CLOCK.monotonic()

    def show(done: int, total: int) -> None:
        display.show(WorkProgress(what, done, total, clock.CLOCK.monotonic() - began))
        if done >= total:
            display.clear()
            output.note(f"{what}: {total} bytes, done")

    return show
