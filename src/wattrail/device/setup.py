"""Settings of a running device: what has to change, how the firmware is asked to, and what it has in the end.

The sector of settings cannot be written from outside while the firmware runs: it saves its own copy a second later, and
again before it restarts. So each setting goes the way of the firmware's own pages, and the sector is read back and
compared. Passwords go to pages, for a command and its arguments stand in the log. Source: openbeken/network.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from wattrail.clock import Clock
from wattrail.device.backup import chip_of
from wattrail.device.client import DeviceInformation, OpenBekenClient
from wattrail.device.restart import Note, Pause, wait_for_restart
from wattrail.device.start_script import SCRIPT_CHANGE, StartScript, planned_script
from wattrail.errors import ConfigError, LinkError, PortTimeout, UnexpectedReply
from wattrail.image.openbeken_configuration import OpenBekenConfiguration, PinSetting
from wattrail.image.openbeken_settings import CALIBRATION_NAMES, OpenBekenSettings, SettingChange, differences
from wattrail.network_meters.payload import float_of

__all__ = ["SetupPlan", "SetupReport", "apply_setup", "plan_setup", "plan_towards"]

_MAX_QUERY: Final = 900
"""Bytes of a page's arguments: the firmware takes a request of 1 to 2 kB in one read."""

_MAX_MQTT_HOST: Final = 127
_CALIBRATION_TURNS: Final = 4
_STARTING_TURNS: Final = 6
_CALIBRATION_CLOSE: Final = 0.002
"""Relative error at which a calibration counts as set: it is made from one noisy sample."""

_AT_START: Final = (
    "startup_command",
    "static_ip",
    "static_mask",
    "static_gateway",
    "static_dns",
    "mqtt_",
    "pin P",
    SCRIPT_CHANGE,
)
"""Names of settings that take effect when the device starts."""


@dataclass(frozen=True, slots=True)
class SetupPlan:
    """What is there, what is wanted, and what differs."""

    information: DeviceInformation
    sector: bytes
    before: OpenBekenConfiguration
    wanted: OpenBekenConfiguration
    changes: tuple[SettingChange, ...]
    script: StartScript | None = None

    @property
    def changes_network(self) -> bool:
        """Whether the device may have another address afterwards."""
        return any(change.name in ("wifi_ssid", "wifi_password") for change in self.changes)

    @property
    def needs_restart(self) -> bool:
        """Whether something takes effect only when the device starts again."""
        return any(change.name.startswith(_AT_START) for change in self.changes)


@dataclass(frozen=True, slots=True)
class SetupReport:
    """What was done. ``remaining`` differs still; ``after`` is the device afterwards, None where nobody waited."""

    plan: SetupPlan
    remaining: tuple[SettingChange, ...]
    failures: tuple[str, ...]
    after: DeviceInformation | None

    @property
    def is_complete(self) -> bool:
        """Whether the device has everything that was wanted."""
        return not self.remaining


async def plan_setup(client: OpenBekenClient, settings: OpenBekenSettings, *, script: str | None = None) -> SetupPlan:
    """What these settings and this ``autoexec.bat`` change.

    Raises ConfigError for what does not fit, and what the client does.
    """
    information = await client.information()
    sector, before = await client.configuration(chip_of(information, client.name))
    plan = _planned(information, sector, before, settings.applied_to(before))
    if script is None:
        return plan
    file = await planned_script(client, script.encode())
    return plan if file.change is None else replace(plan, changes=(*plan.changes, file.change), script=file)


async def plan_towards(client: OpenBekenClient, wanted: OpenBekenConfiguration) -> SetupPlan:
    """What it takes to have this whole configuration; its counters are the device's own."""
    information = await client.information()
    sector, before = await client.configuration(chip_of(information, client.name))
    return _planned(information, sector, before, wanted.upgraded())


def _planned(
    information: DeviceInformation, sector: bytes, before: OpenBekenConfiguration, wanted: OpenBekenConfiguration
) -> SetupPlan:
    if len(wanted.text("mqtt_host").encode()) > _MAX_MQTT_HOST:
        raise ConfigError(f"mqtt_host: more than {_MAX_MQTT_HOST} bytes, which the firmware's page does not take")
    return SetupPlan(information, sector, before, wanted, differences(before, wanted))


async def apply_setup(
    client: OpenBekenClient, plan: SetupPlan, *, pause: Pause, clock: Clock, note: Note = lambda _: None
) -> SetupReport:
    """Ask for every change, save, read back. The network comes last, for with it the device leaves.

    One setting that is refused does not stop the others, and is tried again after a restart: some commands are there
    only once their driver runs, and a calibration needs one that measures. Raises what the client does where the
    connection ends, with what is stored already as a note.
    """
    names = frozenset(change.name for change in plan.changes)
    steps: list[_SettingRequest | StartScript] = [*_steps(plan.before, plan.wanted, names)]
    steps += [] if plan.script is None else [plan.script]
    refused = await _run(client, steps, note)
    restarts = plan.needs_restart and not plan.changes_network
    # A calibration is made from what the driver measures, so where a restart is due it waits for that.
    if not restarts:
        refused |= await _calibrate_all(client, plan, pause, note)
    asked_at = clock.monotonic()
    await _network(client, plan, names, note)
    remaining = await _read_back(client, plan, pause)
    if plan.changes_network:
        return SetupReport(plan, remaining, tuple(refused.values()), None)
    if not restarts:
        return SetupReport(plan, remaining, tuple(refused.values()), await client.information())
    after = await _restart(client, plan, remaining, asked_at, pause, clock, note)
    refused = await _run(client, [step for step in steps if step.words in refused], note)
    refused |= await _calibrate_all(client, plan, pause, note)
    return SetupReport(plan, await _read_back(client, plan, pause), tuple(refused.values()), after)


async def _restart(
    client: OpenBekenClient,
    plan: SetupPlan,
    remaining: tuple[SettingChange, ...],
    asked_at: float,
    pause: Pause,
    clock: Clock,
    note: Note,
) -> DeviceInformation:
    note("restart")
    await client.reboot()
    try:
        return await wait_for_restart(client, plan.information, asked_at, pause=pause, clock=clock)
    except PortTimeout as error:
        differs = "; ".join(map(str, remaining))
        stored = f"not stored: {differs}" if remaining else "all of it is stored"
        error.add_note(f"Before the restart the settings were read back: {stored}.")
        raise


async def _run(client: OpenBekenClient, steps: Iterable[_SettingRequest | StartScript], note: Note) -> dict[str, str]:
    """Every step; what was refused, by the step's words, with the reason."""
    refused: dict[str, str] = {}
    for step in steps:
        note(step.words)
        try:
            await step.run(client)
        except LinkError as error:
            refused[step.words] = f"{step.words}: {error}"
    return refused


async def _calibrate_all(client: OpenBekenClient, plan: SetupPlan, pause: Pause, note: Note) -> dict[str, str]:
    refused: dict[str, str] = {}
    for slot, wanted in enumerate(plan.wanted.calibration[: len(CALIBRATION_NAMES)]):
        if wanted is not None and wanted != plan.before.calibration[slot]:
            note(f"calibrate {CALIBRATION_NAMES[slot]}")
            if failure := await _calibrate(client, plan, slot, wanted, pause):
                refused[f"calibrate {slot}"] = failure
    return refused


async def _read_back(client: OpenBekenClient, plan: SetupPlan, pause: Pause) -> tuple[SettingChange, ...]:
    """Save now, and compare. What is read within the same second may be older, so a difference is looked at again."""
    # This page saves; left alone the firmware does so about three seconds after a change. Source: openbeken/network
    await client.page("/cfg_generic")
    script = () if plan.script is None else await plan.script.remaining(client)
    _, found = await client.configuration(chip_of(plan.information, client.name))
    if _remaining(found, plan):
        await pause(1.5)
        _, found = await client.configuration(chip_of(plan.information, client.name))
    return (*_remaining(found, plan), *script)


def _remaining(found: OpenBekenConfiguration, plan: SetupPlan) -> tuple[SettingChange, ...]:
    """What is not as wanted; a calibration that came close enough is."""
    near = {
        f"calibration {name}"
        for name, is_, wanted in zip(CALIBRATION_NAMES, found.calibration, plan.wanted.calibration, strict=False)
        if is_ is not None and wanted is not None and abs(is_ / wanted - 1) <= _CALIBRATION_CLOSE
    }
    return tuple(change for change in differences(found, plan.wanted) if change.name not in near)


# ---- how the firmware is asked


@dataclass(frozen=True, slots=True)
class _SettingRequest:
    """One request that changes settings: a page with its arguments, or a command line."""

    words: str
    path: str = ""
    arguments: Mapping[str, str] | None = None
    line: str = ""

    async def run(self, client: OpenBekenClient) -> None:
        """Send it."""
        if self.line:
            await client.command(self.line)
            return
        arguments = self.arguments or {}
        if sum(len(name) + 3 * len(text.encode()) for name, text in arguments.items()) > _MAX_QUERY * 3:
            raise UnexpectedReply(f"{self.path}: its arguments are longer than the firmware takes in one request")
        await client.page(self.path, arguments)


def _steps(
    before: OpenBekenConfiguration, wanted: OpenBekenConfiguration, names: frozenset[str]
) -> Iterator[_SettingRequest]:
    """Everything but calibration and network, in an order in which nothing undoes another."""
    for fields, make in _PAGES:
        if names & fields:
            yield make(wanted)
    for name in sorted(names):
        if name.startswith("pin P"):
            yield from _pin_steps(int(name.removeprefix("pin P")), wanted.pins)
    if any(name.startswith("flag ") for name in names):
        # The page clears every flag that it is not given.
        flags = {f"flag{flag}": "1" for flag in sorted(wanted.flags)}
        yield _SettingRequest("set the flags", "/cfg_generic", {"setFlags": "1", **flags})
    if "channel_types" in names:
        old, new = before.raw("channel_types"), wanted.raw("channel_types")
        for channel in (n for n in range(len(new)) if old[n] != new[n]):
            yield _SettingRequest(f"set the type of channel {channel}", line=f"setChannelType {channel} {new[channel]}")
    if "start_values" in names:
        yield from _start_values(before.raw("start_values"), wanted.raw("start_values"))


def _pin_steps(pin: int, pins: Mapping[int, PinSetting]) -> Iterator[_SettingRequest]:
    setting = pins.get(pin, PinSetting(0))
    yield _SettingRequest(
        f"set the role of P{pin} to {setting.role_name}", line=f"SetPinRole {pin} {setting.role_name}"
    )
    line = f"SetPinChannel {pin} {setting.channel} {setting.channel2}"
    yield _SettingRequest(f"link P{pin} to channel {setting.channel}", line=line)


def _start_values(old: bytes, new: bytes) -> Iterator[_SettingRequest]:
    for at in range(0, len(new), 2):
        if old[at : at + 2] != new[at : at + 2]:
            value = int.from_bytes(new[at : at + 2], "little", signed=True)
            yield _SettingRequest(f"set the start value of channel {at // 2}", line=f"SetStartValue {at // 2} {value}")


def _names(wanted: OpenBekenConfiguration) -> _SettingRequest:
    return _SettingRequest(
        "set the names", "/cfg_name", {"shortName": wanted.text("short_name"), "name": wanted.text("name")}
    )


# The page, for no command sets the port. Source: openbeken/network.
def _mqtt(wanted: OpenBekenConfiguration) -> _SettingRequest:
    arguments = {
        "host": wanted.text("mqtt_host"), "port": str(wanted.number("mqtt_port")), "user": wanted.text("mqtt_user"),
        "password": wanted.text("mqtt_password"), "client": wanted.text("mqtt_client"),
        "group": wanted.text("mqtt_group"),
    }  # fmt: skip
    # A build with TLS switches off what is not named.
    for flag, name in (("mqtt_use_tls", "mqtt_use_tls"), ("mqtt_verify_certificate", "mqtt_verify_tls_cert")):
        arguments |= {name: "1"} if wanted.number(flag) else {}
    if certificate := wanted.text("mqtt_certificate_file"):
        arguments["mqtt_cert_file"] = certificate
    return _SettingRequest("set MQTT", "/cfg_mqtt_set", arguments)


def _address(wanted: OpenBekenConfiguration) -> _SettingRequest:
    fields = {"IP": "static_ip", "mask": "static_mask", "dns": "static_dns", "gate": "static_gateway"}
    shown = {name: ".".join(map(str, wanted.raw(field))) for name, field in fields.items()}
    return _SettingRequest("set the address", "/cfg_ip", shown)


def _startup(wanted: OpenBekenConfiguration) -> _SettingRequest:
    arguments = {"startup_cmd": "1", "data": wanted.text("startup_command")}
    return _SettingRequest("set the startup command", "/startup_command", arguments)


def _buttons(wanted: OpenBekenConfiguration) -> _SettingRequest:
    times = " ".join(str(wanted.number(f"button_{which}")) for which in ("long", "short", "repeat"))
    return _SettingRequest("set the times of buttons", line=f"SetButtonTimes {times}")


def _web_app(wanted: OpenBekenConfiguration) -> _SettingRequest:
    arguments = {"url": wanted.text("web_app_root"), "enable_web_server": "1"}
    return _SettingRequest("set the address of the web application", "/cfg_webapp_set", arguments)


def _boot_ok(wanted: OpenBekenConfiguration) -> _SettingRequest:
    return _SettingRequest(
        "set after how many seconds a start counts as good",
        "/cfg_generic",
        {"boot_ok_delay": str(wanted.number("boot_ok_seconds"))},
    )


def _ntp(wanted: OpenBekenConfiguration) -> _SettingRequest:
    return _SettingRequest("set the time server", line=f"ntp_setServer {wanted.text('ntp_server')}")


_PAGES: Final[tuple[tuple[frozenset[str], Callable[[OpenBekenConfiguration], _SettingRequest]], ...]] = (
    (frozenset({"short_name", "name"}), _names),
    (
        frozenset(
            f"mqtt_{name}" for name in ("host", "port", "user", "password", "client", "group", "use_tls",
                                        "verify_certificate", "certificate_file")
        ),
        _mqtt,
    ),
    (frozenset({"static_ip", "static_mask", "static_dns", "static_gateway"}), _address),
    (frozenset({"startup_command"}), _startup),
    (frozenset({"button_long", "button_short", "button_repeat"}), _buttons),
    (frozenset({"web_app_root"}), _web_app),
    (frozenset({"boot_ok_seconds"}), _boot_ok),
    (frozenset({"ntp_server"}), _ntp),
)  # fmt: skip
"""Settings that one request changes together, and that request."""


async def _network(client: OpenBekenClient, plan: SetupPlan, names: frozenset[str], note: Note) -> None:
    """Both networks and the password of the pages, which one page has; it clears a password that is not named."""
    wanted = plan.wanted
    if not names & {"wifi_ssid", "wifi_password", "wifi_ssid2", "wifi_password2", "web_password"}:
        return
    note("set the network" + (" and the password of the pages" if "web_password" in names else ""))
    arguments = {
        "ssid": wanted.text("wifi_ssid"), "pass": wanted.text("wifi_password"),
        "ssid2": wanted.text("wifi_ssid2"), "pass2": wanted.text("wifi_password2"),
    }  # fmt: skip
    if not wanted.text("wifi_ssid"):  # an empty argument counts as none
        arguments = {"open": "1", "ssid2": arguments["ssid2"], "pass2": arguments["pass2"]}
    if password := wanted.text("web_password"):
        arguments |= {"web_admin_password_enabled": "1", "web_admin_password": password}
    await client.page("/cfg_wifi_set", arguments)
    if "web_password" in names:
        client.use_password(password)


async def _calibrate(client: OpenBekenClient, plan: SetupPlan, slot: int, wanted: float, pause: Pause) -> str:
    """Bring one constant near a value: the firmware takes no constants, only what a reference shows. Gives a failure.

    It divides its latest raw sample by the number it is given, so the number that makes the wanted constant is the
    present reading times present constant over wanted one. The present one is known once it has been set: the first
    turn gives it what it shows already.
    """
    command, keys = (("VoltageSet", "Voltage"), ("CurrentSet", "Current"), ("PowerSet", "Power"))[slot]
    chip, what = chip_of(plan.information, client.name), CALIBRATION_NAMES[slot]
    for _ in range(_CALIBRATION_TURNS):
        for _ in range(_STARTING_TURNS):  # a driver that has just started shows nothing for some seconds
            shown = float_of(await client.status(), "StatusSNS", "ENERGY", keys)
            if shown:
                break
            await pause(2.0)
        else:
            return f"calibration {what}: the device shows none now, and takes a constant only with one; connect a load"
        await client.page("/cfg_generic")
        _, found = await client.configuration(chip)
        present = found.calibration[slot]
        if present is not None and abs(present / wanted - 1) <= _CALIBRATION_CLOSE:
            return ""
        try:
            await client.command(f"{command} {shown if present is None else shown * present / wanted:.6g}")
        except LinkError as error:
            return f"calibration {what}: {error}"
        await pause(1.5)
    await client.page("/cfg_generic")
    _, found = await client.configuration(chip)
    last = found.calibration[slot]
    if last is not None and abs(last / wanted - 1) <= _CALIBRATION_CLOSE:
        return ""
    return (
        f"calibration {what}: {last if last is not None else 'none'} after {_CALIBRATION_TURNS} turns, not {wanted:g}"
    )
