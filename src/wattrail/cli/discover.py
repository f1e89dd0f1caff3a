"""``wattrail discover``."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import asdict
from ipaddress import AddressValueError, IPv4Address
from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

from cyclopts import Parameter, validators

from wattrail.app.config import FILE_NAME, find_config, load_config, parse_config
from wattrail.app.discovered import proposed
from wattrail.app.settings_file import replace_text
from wattrail.cli import output, reading_view
from wattrail.cli.exits import UsageError
from wattrail.cli.option_types import Json
from wattrail.cli.output import results
from wattrail.cli.stopping import stop_quietly
from wattrail.errors import ConfigError
from wattrail.files import read_text
from wattrail.sanitize import printable

if TYPE_CHECKING:
    from rich.table import Table

    from wattrail.network_meters.discovery import FoundMeter
    from wattrail.sources.discovery import Findings

_EVERYBODY = "255.255.255.255"
"""Every device of this network; a router passes it on to no other."""

_SECONDS: Final = validators.Number(gte=0.5, lte=120)
_PORT: Final = validators.Number(gte=1, lte=65535)


def discover(
    *,
    broker: Annotated[
        tuple[str, ...], Parameter(help="MQTT broker whose discovery topics are read, like mqtt://broker.lan.")
    ] = (),
    range_: Annotated[
        tuple[str, ...], Parameter(name="--range", help="Addresses to ask one by one, like 192.168.1.0/24.")
    ] = (),
    mdns: Annotated[
        bool | None, Parameter(negative="--no-mdns", help="Ask by mDNS; on unless a broker or a range is given.")
    ] = None,
    ssdp: Annotated[
        bool | None, Parameter(negative="--no-ssdp", help="Ask by SSDP; on unless a broker or a range is given.")
    ] = None,
    tuya: Annotated[
        bool, Parameter(help="Ask once for devices with Tuya's stock firmware, and listen for them.")
    ] = False,
    ask_all: Annotated[
        bool, Parameter(help="Also ask web servers that answer under a name of no known firmware.")
    ] = False,
    interface: Annotated[str, Parameter(help="Address of this machine to ask from; else all of them.")] = "",
    port: Annotated[int, Parameter(help="Port of the web servers in a range (80).", validator=_PORT)] = 80,
    seconds: Annotated[float, Parameter(help="How long to wait for answers (4).", validator=_SECONDS)] = 4.0,
    add: Annotated[bool, Parameter(help=f"Add what was found to {FILE_NAME}.")] = False,
    config: Annotated[Path | None, Parameter(help="Configuration file to add to.")] = None,
    json: Json = False,
) -> None:
    """Find the meters on the network.

    Looks for OpenBeken and Tasmota by mDNS and SSDP, or at the brokers and addresses that you name, and for whatever
    announces energy to Home Assistant. Says what it asked, what each device measures, and the lines for wattrail.toml.
    Nothing else is contacted, and no password is sent.
    """
    from wattrail.network_meters.tuya_announcement import ANNOUNCEMENT_PORTS, QUESTION_PORT
    from wattrail.sources.discovery import SearchPlan, parse_range, search

    _check_interface(interface)
    is_named = bool(broker or range_ or tuya)
    plan = SearchPlan(
        mdns=not is_named if mdns is None else mdns,
        ssdp=not is_named if ssdp is None else ssdp,
        tuya_ports=(*ANNOUNCEMENT_PORTS, QUESTION_PORT) if tuya else (),
        tuya_question=(_EVERYBODY, QUESTION_PORT) if tuya else None,
        brokers=broker, ranges=[parse_range(text) for text in range_], asks_all=ask_all,
        seconds=seconds, interface=interface, http_port=port,
    )  # fmt: skip
    with stop_quietly():
        findings = asyncio.run(search(plan))
        _note_what_was_asked(findings)
        path = config or find_config() or Path(FILE_NAME)
        new, known = _proposed(findings.meters, path)
        if json:
            print(dumps(_fields(findings, new)))
        else:
            _show(findings.meters, new, known)
        if add and new:
            _add(new, path)


def _check_interface(address: str) -> None:
    """Raises UsageError for a name such as eth0: mDNS and SSDP are asked from an address, of IPv4."""
    try:
        IPv4Address(address or "0.0.0.0")
    except AddressValueError as error:
        raise UsageError(
            f"--interface {address!r} is not an IPv4 address", hint="give an address that this machine has there"
        ) from error


def _note_what_was_asked(findings: Findings) -> None:
    for action in findings.actions:
        output.note(action)
    for problem in findings.problems:
        output.note(f"not asked: {problem}")


def _proposed(meters: Sequence[FoundMeter], path: Path) -> tuple[list[FoundMeter], dict[str, str]]:
    """What can be added to the file, and what is configured there already, by URL."""
    written = load_config(path) if path.exists() else None
    return proposed(meters, {meter.url: meter.name for meter in written.meter} if written else {})


def _lines(meters: Sequence[FoundMeter]) -> str:
    """The tables for the configuration; every text in them is quoted as TOML wants it."""
    tables = [
        f"[[meter]]\nname = {dumps(meter.name)}\nurl = {dumps(meter.url)}  # {_measures(meter)}" for meter in meters
    ]
    return "\n\n".join(tables) + "\n"


def _measures(meter: FoundMeter) -> str:
    return ", ".join(meter.measures) or "it does not say what it measures"


def _show(meters: Sequence[FoundMeter], proposed: Sequence[FoundMeter], known: dict[str, str]) -> None:
    if not meters:
        print("no meter was found")
        return
    results().print(_table(meters))
    for url, name in known.items():
        print(f"{url} is configured already, as {name}")
    if proposed:
        print(f"lines for {FILE_NAME}, which --add adds:\n\n{_lines(proposed)}", end="")


def _table(meters: Sequence[FoundMeter]) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD)
    for name in ("device", "measures", "URL"):
        table.add_column(name, overflow="fold")
    for meter in meters:
        mark = f" {reading_view.SIMULATED}" if meter.simulated and reading_view.SIMULATED not in meter.title else ""
        table.add_row(f"{meter.title}{mark}", meter.note or _measures(meter), meter.url)
    return table


def _fields(findings: Findings, proposed: Sequence[FoundMeter]) -> dict[str, object]:
    return {
        "meters": [asdict(meter) for meter in findings.meters],
        "proposed": [{"name": meter.name, "url": meter.url} for meter in proposed],
        "actions": findings.actions,
        "problems": findings.problems,
    }


def _add(meters: Sequence[FoundMeter], path: Path) -> None:
    """Append tables at the end of the file: no other line changes, and the file is replaced as a whole or not at all.

    Raises UsageError where the result would not be a configuration, or cannot be written.
    """
    before = read_text(path) if path.exists() else ""
    gap = "" if not before else "\n" if before.endswith("\n") else "\n\n"
    after = f"{before}{gap}{_lines(meters)}"
    name = printable(str(path))
    try:
        parse_config(after, name)
    except ConfigError as error:
        raise UsageError(f"{name} is left as it is: with the new lines, {error}", hint="add them by hand") from error
    try:
        replace_text(path.resolve(), after)  # a link stays one
    except OSError as error:
        raise UsageError(
            f"{name} cannot be written: {error.strerror}", hint="check its folder, or use --config"
        ) from error
    output.note(f"added to {name}: {', '.join(meter.name for meter in meters)}")
