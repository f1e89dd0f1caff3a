"""``spi+gpio://`` - SPI mode 1 clocked by software on GPIO lines, by libgpiod 2.

For boards without a free SPI controller. The clock idles low; both sides shift out on its rising edge and sample on its
falling edge. The chip waits between edges as long as needed, so a busy machine is slow but correct.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from wattrail.clock import Clock, Deadline
from wattrail.errors import PortLost, PortOpenError, UrlError, needs_library
from wattrail.transport.base import Bus
from wattrail.transport.carrier import OpenCarrier, device_open_error, device_path, typed
from wattrail.urls import Option, PortUrl, number_in

if TYPE_CHECKING:
    from gpiod import Chip, LineRequest

__all__ = ["OPTIONS", "BitBang", "GpioBus", "GpioLines", "GpioPins", "missing_hint", "open_carrier"]

_offset: Final = number_in(int, 0, 1023)

OPTIONS: Final[Sequence[Option]] = (
    Option("sclk", _offset, None, "GPIO line on the chip's clock (SCLK), for example sclk=11"),
    Option("sdi", _offset, None, "GPIO line on the chip's data input (SDI), for example sdi=10"),
    Option("sdo", _offset, None, "GPIO line on the chip's data output (SDO), for example sdo=9"),
    Option("cs", _offset, None, "GPIO line on the chip's select pin; leave out if that pin is at ground"),
    # The shortest only: no datasheet has a slowest clock, and hosts pause for milliseconds inside a frame.
    # Source: bl0942-ds/spi-frame
    Option("half_period_us", number_in(int, 1, 10_000), 5, "shortest half of a clock period in microseconds"),
)

_MISSING: Final = "'ls /dev/gpiochip*' lists what exists"


@dataclass(frozen=True, slots=True)
class GpioPins:
    """Line offsets, named after the chip's pins. No two may be the same."""

    sclk: int
    sdi: int
    sdo: int
    cs: int | None = None

    @property
    def used(self) -> tuple[int, ...]:
        """Every offset, the select pin last if there is one."""
        return (self.sclk, self.sdi, self.sdo) + (() if self.cs is None else (self.cs,))


class GpioLines(Protocol):
    """GPIO lines by offset; True is high."""

    def set(self, offset: int, level: bool, /) -> None:
        """Drive a line."""
        ...

    def get(self, offset: int, /) -> bool:
        """Read a line."""
        ...


class BitBang:
    """SPI mode 1, most significant bit first, on four lines; ``pause`` lets half a clock period pass."""

    def __init__(self, lines: GpioLines, pins: GpioPins, *, pause: Callable[[], None]) -> None:
        self._lines = lines
        self._pins = pins
        self._pause = pause

    def transfer(self, data: bytes) -> bytes:
        """Clock bytes out and as many in, as one block under chip select."""
        self._select(True)
        try:
            return bytes(map(self._byte, data))
        finally:
            # Also after an error: a frame is 48 clocks in one select, and the next one must not begin inside this one.
            self._select(False)

    def _byte(self, out: int) -> int:
        got = 0
        for bit in range(7, -1, -1):
            self._lines.set(self._pins.sclk, True)
            self._lines.set(self._pins.sdi, bool(out >> bit & 1))
            self._pause()
            # While the clock is high: the chip shifts out on the rising edge and takes our bit on the falling one.
            # Source: bl0942-ds/spi-frame
            got = got << 1 | self._lines.get(self._pins.sdo)
            self._lines.set(self._pins.sclk, False)
            self._pause()
        return got

    def _select(self, selected: bool) -> None:
        if self._pins.cs is not None:
            # Active low (pin A2_NCS of the TSSOP14L; the SSOP10L has none). Source: bl0942-ds/spi-frame
            self._lines.set(self._pins.cs, not selected)
            self._pause()


class GpioBus(OpenCarrier):
    """A bus on requested GPIO lines."""

    def __init__(self, url: str, clock: Clock, engine: BitBang, release: Callable[[], None]) -> None:
        super().__init__(url, clock)
        self._engine = engine
        self._release_lines = release

    def transfer(self, data: bytes, deadline: Deadline) -> bytes:
        """Clock bytes out and as many in, as one block. Raises PortTimeout, PortLost."""
        self._check_open()
        self._check_time(deadline)
        try:
            return self._engine.transfer(data)
        except OSError as error:
            raise PortLost(f"{self.url} went away: {error}", hint="open it again") from error

    def _release(self) -> None:
        self._release_lines()


class _GpiodLines:
    """Lines held by a libgpiod request."""

    def __init__(self, request: LineRequest) -> None:
        from gpiod.line import Value

        self._request = request
        self._high, self._low = Value.ACTIVE, Value.INACTIVE

    def set(self, offset: int, level: bool, /) -> None:
        self._request.set_value(offset, self._high if level else self._low)

    def get(self, offset: int, /) -> bool:
        return self._request.get_value(offset) is self._high


def missing_hint() -> str:
    """The hint for a device that does not exist."""
    return _MISSING


def open_carrier(url: PortUrl, options: Mapping[str, object], clock: Clock) -> Bus:
    """Request the lines, clock low and chip unselected. Raises PortOpenError, MissingExtra, UrlError."""
    pins, path = _pins(url, options), device_path(url)
    half_period_s = typed(options, "half_period_us", int) / 1e6
    with needs_library(url.text, "gpiod", extra="spi"):
        import gpiod
    try:
        chip = gpiod.Chip(path)
    except OSError as error:
        raise device_open_error(url.text, path, error, missing=missing_hint()) from error
    with chip:  # the request outlives it
        request = _request(url, chip, pins)
    engine = BitBang(_GpiodLines(request), pins, pause=lambda: clock.sleep(half_period_s))
    return GpioBus(url.text, clock, engine, request.release)


def _pins(url: PortUrl, options: Mapping[str, object]) -> GpioPins:
    for name in ("sclk", "sdi", "sdo"):
        if options[name] is None:
            raise UrlError(
                f"{url.text!r}: option {name} is missing", hint=f"which GPIO line goes to the chip's {name}?"
            )
    cs = None if options["cs"] is None else typed(options, "cs", int)
    pins = GpioPins(typed(options, "sclk", int), typed(options, "sdi", int), typed(options, "sdo", int), cs)
    if len(set(pins.used)) < len(pins.used):
        raise UrlError(f"{url.text!r}: two pins of the chip on one GPIO line")
    return pins


def _request(url: PortUrl, chip: Chip, pins: GpioPins) -> LineRequest:
    from gpiod import LineSettings
    from gpiod.line import Direction, Value

    low = LineSettings(direction=Direction.OUTPUT, output_value=Value.INACTIVE)
    high = LineSettings(direction=Direction.OUTPUT, output_value=Value.ACTIVE)
    config: dict[Iterable[int | str] | int | str, LineSettings | None] = {
        # Levels of an idle bus from the first moment on: a chip
        # without chip select counts every edge of the clock as a bit.
        pins.sclk: low,
        pins.sdi: low,
        pins.sdo: LineSettings(direction=Direction.INPUT),
    }
    if pins.cs is not None:
        config[pins.cs] = high
    try:
        return chip.request_lines(config, consumer="wattrail")
    except (OSError, ValueError) as error:
        raise PortOpenError(
            f"{url.text}: the GPIO lines cannot be requested: {error}", hint=_holders(chip, pins)
        ) from error


def _holders(chip: Chip, pins: GpioPins) -> str | None:
    try:
        infos = [chip.get_line_info(offset) for offset in pins.used]
    except (OSError, ValueError):
        return f"the chip has {chip.get_info().num_lines} lines, counted from 0"
    held = [f"line {info.offset} is used by {info.consumer or 'the kernel'}" for info in infos if info.used]
    return "; ".join(held) or None
