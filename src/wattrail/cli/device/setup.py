"""``wattrail device setup``."""

from __future__ import annotations

from dataclasses import dataclass
from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from wattrail.cli import clock, output
from wattrail.cli.device.target import DeviceHost, DeviceOptions, on_device, pause
from wattrail.cli.exits import UsageError
from wattrail.cli.option_types import Json
from wattrail.credentials import Secrets
from wattrail.errors import VerifyError

if TYPE_CHECKING:
    from wattrail.board.front_panel import FrontPanel
    from wattrail.calibration import Calibration
    from wattrail.device import OpenBekenClient, SetupPlan, SetupReport
    from wattrail.image.openbeken_configuration import OpenBekenConfiguration
    from wattrail.image.openbeken_settings import OpenBekenSettings

__all__ = ["SettingsOptions", "is_template", "report_setup", "setup", "show_plan"]


ACCESS_POINT = "192.168.4.1"
"""Where a device is that has no network yet, for whoever joins its access point."""


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class SettingsOptions:
    """Where wanted settings come from; the later of these decide over the earlier."""

    board: Annotated[
        str | None, Parameter(help="Name of a board ('board list'), a .toml file of your own, or OpenBeken's template.")
    ] = None
    calibration: Annotated[
        str | None, Parameter(help="For --board NAME: name of a meter, a dump, or a file of 'calibration export'.")
    ] = None
    configuration: Annotated[Path | None, Parameter(help="Settings file, TOML.")] = None
    mqtt: Annotated[str | None, Parameter(help="Broker, mqtt://host:port; its login is looked up by the host.")] = None
    wifi_file: Annotated[Path | None, Parameter(help="File with ssid and password, mode 0600.")] = None
    driver: Annotated[str | None, Parameter(help="Metering driver to start, such as BL0942SPI.")] = None
    name: Annotated[str | None, Parameter(help="Name of the device, also its short name and MQTT client.")] = None

    @property
    def is_given(self) -> bool:
        """Whether anything is wanted."""
        return self != SettingsOptions()

    def settings(self, *, scripted: FrontPanel | None = None) -> OpenBekenSettings:
        """All of them together; ``scripted`` is the front panel of a board's script that is written too.

        Raises UsageError, FileError, ConfigError, ImageError, UrlError, MissingExtra.
        """
        from wattrail.device.settings_file import mqtt_settings, read_settings, read_wifi
        from wattrail.image.openbeken_settings import OpenBekenSettings

        secrets, made = Secrets(), OpenBekenSettings()
        if self.board is not None:
            made = _board_settings(self.board, self.calibration, scripted=scripted)
        elif self.calibration is not None:
            raise UsageError(
                "--calibration needs a board", hint="add --board NAME; a settings file takes constants on their own"
            )
        if self.configuration is not None:
            made = read_settings(self.configuration, secrets).over(made)
        if self.mqtt is not None:
            made = mqtt_settings(self.mqtt, secrets).over(made)
        if self.wifi_file is not None:
            made = read_wifi(self.wifi_file).over(made)
        texts = {"startup_command": f"startDriver {self.driver}"} if self.driver else {}
        if self.name:
            texts |= dict.fromkeys(("name", "short_name", "mqtt_client"), self.name)
        return OpenBekenSettings(texts).over(made)


def setup(
    host: DeviceHost = ACCESS_POINT,
    *,
    wanted: SettingsOptions | None = None,
    no_script: Annotated[
        bool, Parameter(help="For --board NAME: leave autoexec.bat, with its gestures and LED patterns, as it is.")
    ] = False,
    panel: Annotated[Path | None, Parameter(help="Gestures and patterns of your own, a .toml file.")] = None,
    dry_run: Annotated[bool, Parameter(help="Show what would change, and change nothing.")] = False,
    json: Json = False,
    options: DeviceOptions | None = None,
) -> None:
    """Give a device its network, broker, pins, driver and flags.

    Also names, calibration and address. Shows first what changes, then reads everything back and says what differs.
    Without a host: the device whose access point this machine has joined.
    """
    from wattrail.board import load_front_panel
    from wattrail.device import apply_setup, plan_setup

    if wanted is None or not wanted.is_given:
        raise UsageError("nothing is wanted", hint="--board NAME, --configuration FILE, --mqtt URL, --wifi-file FILE")
    scripted = load_front_panel(panel) if wanted.board is not None and not no_script else None
    settings = wanted.settings(scripted=scripted)
    text = _board_script(wanted.board, scripted) if wanted.board is not None and scripted is not None else None

    async def planned(client: OpenBekenClient) -> SetupPlan:
        return await plan_setup(client, settings, script=text)

    plan = on_device(host, options, planned)
    if not json:
        show_plan(plan)
    if dry_run or not plan.changes:
        if json:
            print(dumps({"changes": [str(change) for change in plan.changes], "done": not plan.changes}))
        return

    async def work(client: OpenBekenClient) -> SetupReport:
        return await apply_setup(client, plan, pause=pause, clock=clock.CLOCK, note=output.note)

    report_setup(on_device(host, options, work), json=json, wanted=plan.wanted)


def show_plan(plan: SetupPlan) -> None:
    """What changes, before it does."""
    from wattrail.cli.device.info import information_lines

    print(information_lines(plan.information)[0])
    if not plan.changes:
        print("  has all of it already: nothing changes")
    for change in plan.changes:
        print(f"  {change}")


def report_setup(report: SetupReport, *, json: bool, wanted: OpenBekenConfiguration) -> None:
    """What came of it. Raises VerifyError where something differs still."""
    for failure in report.failures:
        output.note(f"refused: {failure}")
    if json:
        print(
            dumps(
                {
                    "changes": [str(change) for change in report.plan.changes],
                    "remaining": [str(change) for change in report.remaining],
                    "failures": list(report.failures),
                    "restarted": report.after is not None and report.plan.needs_restart,
                    "done": report.is_complete,
                }
            )
        )
    if not report.is_complete:
        raise VerifyError(
            "the device has not taken everything: " + "; ".join(str(change) for change in report.remaining),
            hint="what no page of the firmware sets is written by wire: 'wattrail flash write … --configuration'",
        )
    if json:
        return
    count = len(report.plan.changes)
    print(f"read back: {'1 change is' if count == 1 else f'{count} changes are'} as wanted")
    if report.plan.changes_network:
        network = wanted.text("wifi_ssid")
        print(f"it restarts and joins the network {network!r}: find it there with 'wattrail discover'")


# ---- settings by the board that they are for


_BOARD_FILE = ".toml"


def _board_settings(given: str, calibration: str | None, *, scripted: FrontPanel | None = None) -> OpenBekenSettings:
    """Pins, startup command and flags of a board; with ``calibration`` its constants too.

    A name of a known board is that board; a file is a template, or with ``.toml`` a board of a person's own.
    ``scripted`` is the front panel of an autoexec.bat that is written too. Raises UsageError, FileError,
    ConfigError, ImageError, MissingExtra.
    """
    from wattrail.board import load_board
    from wattrail.board.openbeken import openbeken_settings

    if is_template(given):
        return _of_template(Path(given), calibration)
    board = load_board(given)
    output.note(f"board: {board.title}, {board.chip}")
    return openbeken_settings(board, _scale(calibration), scripted=scripted)


def _board_script(given: str, panel: FrontPanel) -> str | None:
    """The board's ``autoexec.bat``: its driver, gestures of its button, patterns of its LED; None for a template.

    Raises FileError, ConfigError, MissingExtra.
    """
    from wattrail.board import load_board
    from wattrail.board.openbeken_script import autoexec

    return None if is_template(given) else autoexec(load_board(given), panel)


def is_template(given: str) -> bool:
    """Whether it is a file of OpenBeken's, and no board by its name or its .toml file."""
    from wattrail.board import board_names

    path = Path(given)
    return given not in board_names() and path.suffix != _BOARD_FILE and (bool(path.suffix) or path.exists())


def _of_template(path: Path, calibration: str | None) -> OpenBekenSettings:
    from wattrail.device.settings_file import read_template

    if calibration is not None:
        raise UsageError(
            f"--calibration needs a board by its name: {path} does not say what measures",
            hint="'wattrail board search WORD' finds the name; a settings file takes constants under [calibration]",
        )
    return read_template(path)


def _scale(calibration: str | None) -> Calibration | None:
    if calibration is None:
        return None
    from wattrail.cli.board.export import calibration_named
    from wattrail.cli.option_types import BooksOptions

    return calibration_named(calibration, BooksOptions())
