"""``wattrail device info``, ``log`` and ``reboot``."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from json import dumps
from typing import TYPE_CHECKING, Annotated, Final

from cyclopts import Parameter, validators

from wattrail.cli import clock, output
from wattrail.cli.device.target import DeviceHost, DeviceOptions, on_device, pause
from wattrail.cli.option_types import Json
from wattrail.cli.stopping import stop_quietly
from wattrail.credentials import Secrets
from wattrail.errors import ChecksumError, ImageError, UnexpectedReply, WattrailError
from wattrail.image.openbeken_configuration import OpenBekenConfiguration
from wattrail.network_meters.payload import float_of, text_of
from wattrail.openbeken import SECRET_FIELDS
from wattrail.sanitize import hide_credentials, printable

if TYPE_CHECKING:
    from wattrail.device import DeviceInformation, OpenBekenClient

__all__ = ["info", "information_lines", "log", "restart"]


_UNITS: Final = ((1, "V"), (3, "A"), (2, "W"), (2, "Hz"), (1, "Wh"))
"""Decimals and unit of each quantity."""


def info(
    host: DeviceHost,
    *,
    show_secrets: Annotated[bool, Parameter(help="Print passwords too.")] = False,
    json: Json = False,
    options: DeviceOptions | None = None,
) -> None:
    """Say what a device runs, how it is set up, and what it measures.

    Also how it is connected. Reads only. Passwords are shown as *** unless you ask for them.
    """

    async def read(client: OpenBekenClient) -> tuple[DeviceInformation, object, OpenBekenConfiguration | None, str]:
        found = await client.information()
        status = await client.status()
        if found.chip is None:
            return found, status, None, f"where a {found.chipset} keeps its settings is not known here"
        try:
            _, settings = await client.configuration(found.chip)
        except (ImageError, ChecksumError, UnexpectedReply) as error:
            return found, status, None, str(error)
        return found, status, settings, ""

    found, status, settings, why_not = on_device(host, options, read)
    if json:
        shown = settings.as_json(shows_secrets=show_secrets) if settings else None
        print(dumps({**found.as_json(), "energy": _energy(status), "settings": shown}))
        return
    print(*information_lines(found), sep="\n")
    print(*_measured(status), sep="\n")
    print(*(_settings(settings, show_secrets=show_secrets) if settings else [f"settings: {why_not}"]), sep="\n")


def restart(host: DeviceHost, *, options: DeviceOptions | None = None) -> None:
    """Restart a device, and wait until it answers again."""
    from wattrail.device import reboot

    async def work(client: OpenBekenClient) -> DeviceInformation:
        return await reboot(client, pause=pause, clock=clock.CLOCK)

    after = on_device(host, options, work)
    print(f"{after.short_name} is back: up for {after.uptime_s} s, version {after.version}")


def information_lines(found: DeviceInformation) -> list[str]:
    """Who it is, for people."""
    mark = "SIMULATED: " if found.is_simulated else ""
    return [
        f"{mark}{found.short_name}: OpenBeken {found.version} on a {found.chipset}",
        f"  {found.build}",
        f"  MAC {found.mac or 'not said'}, address {found.ip}, up for {found.uptime_s} s",
        f"  MQTT {found.mqtt} as {found.mqtt_client}",
    ]


def _energy(status: object) -> dict[str, float | None]:
    names = {
        "volts": "Voltage", "amps": "Current", "watts": "Power", "hertz": "Frequency", "energy_wh": "ConsumptionTotal",
    }  # fmt: skip
    return {name: float_of(status, "StatusSNS", "ENERGY", key) for name, key in names.items()}


def _measured(status: object) -> list[str]:
    energy, signal = _energy(status), float_of(status, "StatusSTS", "Wifi", "Signal")
    network = printable(text_of(status, "StatusSTS", "Wifi", "SSId"), limit=64)
    lines = [] if signal is None else [f"  Wi-Fi {network or '(no name)'}, {signal:g} dBm"]
    if energy["volts"] is None:
        return [*lines, "  measures nothing: no driver of a metering chip runs"]
    shown = [
        f"{value:.{decimals}f} {unit}"
        for value, (decimals, unit) in zip(energy.values(), _UNITS, strict=True)
        if value is not None
    ]
    return [*lines, "  measures " + ", ".join(shown)]


def _settings(settings: OpenBekenConfiguration, *, show_secrets: bool) -> list[str]:
    """Everything that is set; what is empty or 0 is left out."""
    shown = settings.as_json(shows_secrets=show_secrets)
    lines = [f"settings, version {settings.version}, saved {settings.number('change_count')} times"]
    for name, value in shown.items():
        if name in ("version", "change_count", "pins", "flags", "calibration", "start_values", "channel_types"):
            continue
        # Addresses and times that consist of zeros were never set.
        if value and value != "0.0.0.0" and str(value).strip("0: "):
            lines.append(f"  {name}: {printable(str(value))}")
    lines += [f"  P{pin}: {one.role_name}, channel {one.channel}" for pin, one in settings.pins.items()]
    lines.append(f"  flags: {', '.join(map(str, sorted(settings.flags))) or 'none'}")
    constants = [f"{value:g}" for value in settings.calibration if value is not None]
    lines.append(f"  calibration: {', '.join(constants) if constants else 'the default of the driver'}")
    return lines


# ---- log


def log(
    host: DeviceHost,
    *,
    port: Annotated[
        int, Parameter(help="Port of its log (9000).", validator=validators.Number(gte=1, lte=65535))
    ] = 9000,
    lines: Annotated[
        int, Parameter(help="Stop after so many lines; 0 goes on.", validator=validators.Number(gte=0))
    ] = 0,
    options: DeviceOptions | None = None,
) -> None:
    """Show what a device writes in its log.

    As it comes, until Ctrl-C. A device's own passwords are hidden, which the firmware prints when it starts.
    """
    from wattrail.device.client import open_client
    from wattrail.device.log_stream import log_lines

    given = options or DeviceOptions()
    client = open_client(host, secrets=Secrets(), login=given.login, timeout_s=given.timeout)

    async def follow() -> None:
        # Before the first line: the firmware prints its passwords as it starts.
        secrets, count = await _secrets_of(client), 0
        async for line in log_lines(client.host, port, timeout_s=given.timeout):
            print(hide_credentials(printable(line), *secrets), flush=True)
            count += 1
            if count == lines:
                return

    with stop_quietly():
        asyncio.run(follow())


async def _secrets_of(client: OpenBekenClient) -> tuple[str, ...]:
    """The passwords that stand in its settings, so that they can be hidden."""
    with suppress(WattrailError):
        found = await client.information()
        if found.chip is not None:
            _, settings = await client.configuration(found.chip)
            return tuple(text for name in SECRET_FIELDS if (text := settings.text(name)))
    output.note("its settings cannot be read, so passwords in its log are not known and not hidden")
    return ()
