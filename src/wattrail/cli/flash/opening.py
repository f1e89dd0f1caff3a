"""A board's port as it is typed, and the flasher on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from cyclopts import Parameter, Token, convert, validators

from wattrail.app.config import data_dir
from wattrail.bootrom.constants import BAUD_AT_RESET
from wattrail.cli import pace, safety
from wattrail.cli.exits import UsageError
from wattrail.cli.safety import WiringOptions
from wattrail.flasher import Flasher, Listener, open_flasher
from wattrail.transport import check_url, reach
from wattrail.transport.schemes import SCHEMES
from wattrail.urls import device_url, split

__all__ = ["BoardOptions", "PortText", "Reset", "boards_folder", "opened", "url_of"]

PortText = Annotated[str, Parameter(help="Port of the adapter: /dev/ttyUSB0, COM5, or a URL.")]


def _reset(type_: Any, tokens: Sequence[Token]) -> Any:  # noqa: ANN401 - as cyclopts declares a converter
    """``person`` is what ``manual`` was called before."""
    return "manual" if tokens[0].value == "person" else convert(type_, tokens)


Reset = Annotated[
    Literal["manual", "rts", "dtr"],
    Parameter(help="What resets the chip: a modem line wired to CEN, or a person.", converter=_reset),
]

_FASTEST: Final = 4_000_000
_TWIN_HINT: Final = "'wattrail twin serve pziot-e01' gives you a serial device to rehearse on"


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class BoardOptions(WiringOptions):
    """What every verb about a board's flash understands."""

    reset: Reset = "manual"
    baud: Annotated[
        int | None,
        Parameter(
            help="Fastest rate to try; else as fast as the line carries.",
            validator=validators.Number(gte=BAUD_AT_RESET, lte=_FASTEST),
        ),
    ] = None
    patience: Annotated[
        float,
        Parameter(
            help="Seconds to wait for a reset, or for a cable to come back (60).",
            validator=validators.Number(gt=0, lte=86400),
        ),
    ] = 60.0
    boards: Annotated[
        Path | None, Parameter(help="Folder for journals and backups; else your own.", env_var="WATTRAIL_BOARDS")
    ] = None


def url_of(port: str) -> str:
    """The URL of a port; a plain device gets its scheme. Raises UrlError, UsageError for what has no chip to flash."""
    url = device_url(port)
    scheme = SCHEMES[split(check_url(url)).scheme]
    if scheme.reach == "twin":
        raise UsageError(f"{url!r} is a meter, whose module has its port elsewhere", hint=_TWIN_HINT)
    if scheme.carries == "SPI":
        raise UsageError(f"{url!r} is an SPI bus", hint="a chip is flashed over its UART1: /dev/ttyUSB0")
    return url


def opened(url: str, options: BoardOptions, listener: Listener) -> Flasher:
    """The flasher, not yet connected, once the wiring is confirmed. Raises UsageError, PortOpenError, MissingExtra."""
    safety.confirm([url], given=options.answer, opens_now=True)
    return open_flasher(
        url,
        reset=options.reset,
        max_baud=options.baud,
        patience_s=options.patience,
        listener=listener,
        folder=boards_folder(options.boards, simulated=reach(url) == "twin"),
        clock=pace.CLOCK,
    )


def boards_folder(given: Path | None, *, simulated: bool) -> Path:
    """Where journals and backups are kept. A twin of a board has that board's name: it is kept apart."""
    folder = given or data_dir() / "boards"
    return folder / "simulated" if simulated else folder
