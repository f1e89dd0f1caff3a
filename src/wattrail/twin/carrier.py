"""The scheme ``twin://``: a board's name, and what its twin should be and do.

Opening the same URL twice gives two meters that know nothing of each other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, cast

from wattrail.clock import Clock
from wattrail.errors import UrlError
from wattrail.transport.base import Bus, Port
from wattrail.twin import open_twin
from wattrail.urls import Option, PortUrl, boolean, choice, number_in

__all__ = ["OPTIONS", "open_carrier"]


def _time_of_day(text: str) -> str:
    hours, colon, minutes = text.partition(":")
    if not (colon and hours.isdecimal() and minutes.isdecimal() and int(hours) < 24 and int(minutes) < 60):
        raise ValueError("must be a time of day like 10:30")
    return text


POWERED_FOR_S: Final = 10.0
"""A meter that is opened has long been running: its averages are settled."""

# fmt: off
OPTIONS: Final[Sequence[Option]] = (
    Option("scenario", str, None, "house, roof, cloudy, idle, bench, or the path of a .toml file"),
    Option("seed", number_in(int, 0, 2**32), 0, "the same seed gives the same meter, noise and clouds"),
    Option("start", _time_of_day, None, "time of day at the beginning, like 10:30; else now"),
    Option("volts", number_in(float, 0, 400), None, "hold this voltage in place of a scenario"),
    Option("amps", number_in(float, 0, 200), None, "hold this current, by rms"),
    Option("watts", number_in(float, -50e3, 50e3), None, "hold this active power; negative exports"),
    Option("pf", number_in(float, -1, 1), None, "power factor of the held load; negative exports"),
    Option("hertz", number_in(float, 40, 70), None, "hold this line frequency"),
    Option("tolerance", number_in(float, 0, 20), None, "per cent by which parts may be off, from the seed"),
    Option("noise", number_in(float, 0, 1000), None, "microvolts rms at the current pins; 3 if left out"),
    Option("errors", number_in(float, 0, 0.5), None, "bit error rate on the line, both ways"),
    Option("chip", choice("bl0942", "bl0940"), None, "another chip on the board's parts"),
    Option("sel", choice("spi", "uart"), None, "the chip's SEL strap, to rehearse a wrong one"),
    Option("strap", lambda text: int(choice("4800", "9600")(text)), None, "BL0942 on UART: the rate of its strap"),
    Option("address", number_in(int, 0, 3), None, "BL0942 on UART: the chip's address"),
    Option("heads", choice("58", "50"), None, "BL0940: its variant, 58 (and A8) or 50 (and A0); else the board's"),
    Option("celsius", number_in(float, -40, 125), None, "BL0940: its temperature; 25 if left out"),
    Option("baud", number_in(int, 300, 115200), None, "UART: your rate; the chip's if left out"),
    Option("hz", number_in(int, 1, 10_000_000), None, "SPI: your clock; 800000 if left out"),
    Option("mode", number_in(int, 0, 3), None, "SPI: your mode; only 1 is right"),
    Option("overclocking", boolean, None, "SPI: frames fail above 800 kHz"),
    Option("wiring", choice("line", "neutral", "both", "twice", "off-centre"), None, "what passes the transformer"),
    Option("samples", boolean, None, "measure from every sample: slower"),
)
# fmt: on


def open_carrier(url: PortUrl, options: Mapping[str, object], clock: Clock) -> Port | Bus:
    """A fresh twin, and the host's end of its cable. Raises UrlError, ConfigError, MissingExtra."""
    if url.port is not None or url.path.strip("/"):
        raise UrlError(f"{url.text!r}: a twin has a board's name and options, nothing else")
    given = {name: value for name, value in options.items() if value is not None}
    try:
        twin = open_twin(url.host or "pziot-e01", clock=clock, powered_for=POWERED_FOR_S, **given)  # type: ignore[arg-type]
    except UrlError as error:
        raise UrlError(f"{url.text!r}: {error}", hint=error.hint) from error
    return cast("Port | Bus", twin.carrier(url=url.text))
