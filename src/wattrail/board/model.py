"""What a board is: module, pins with their roles, metering chip, and where each fact comes from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from wattrail.errors import ConfigError

__all__ = [
    "CHIP_OF_MODULE",
    "ActiveLevel",
    "BoardDescription",
    "BoardKind",
    "BoardMeter",
    "BoardMeterBus",
    "BoardPin",
    "BoardPinRole",
    "FactGroup",
    "FactSource",
    "StockDatapoint",
    "StockProduct",
    "check_takes_calibration",
    "chip_of_module",
]


class BoardKind(StrEnum):
    """What a person would call it."""

    METER = "meter"
    PLUG = "plug"
    STRIP = "strip"
    SWITCH = "switch"
    OUTLET = "outlet"
    BREAKER = "breaker"


class BoardPinRole(StrEnum):
    """What a pin of the Wi-Fi module is wired to."""

    RELAY = "relay"
    RELAY_ON = "relay_on"
    """One coil of a latching relay: a pulse closes it."""
    RELAY_OFF = "relay_off"
    BUTTON = "button"
    BUTTON_ALL = "button_all"
    """One button for all relays."""
    SWITCH_INPUT = "switch_input"
    """A wall switch: each change toggles."""
    LED = "led"
    """Follows a relay, or free."""
    WIFI_LED = "wifi_led"
    CF = "cf"
    """Energy pulses of a pulse chip."""
    CF1 = "cf1"
    """Voltage or current pulses of a pulse chip."""
    SEL = "sel"
    """Chooses what CF1 shows."""
    METER_RX = "meter_rx"
    """The module receives from the metering chip or the MCU."""
    METER_TX = "meter_tx"
    SPI_CLOCK = "spi_clock"
    SPI_TO_CHIP = "spi_to_chip"
    SPI_FROM_CHIP = "spi_from_chip"
    ENERGY_PULSE = "energy_pulse"
    """CF1 output of a chip that is read over a bus."""
    OUTPUT_HIGH = "output_high"
    """Has to be held high."""
    TEST_PAD = "test_pad"


class ActiveLevel(StrEnum):
    """The level at which a relay is closed, a LED lit, a button pressed."""

    HIGH = "high"
    LOW = "low"
    UNKNOWN = "unknown"


class BoardMeterBus(StrEnum):
    """How the module learns what is measured."""

    UART = "uart"
    SPI = "spi"
    PULSES = "pulses"
    TUYAMCU = "tuyamcu"
    """Another microcontroller measures, and speaks Tuya's serial protocol."""


class FactGroup(StrEnum):
    """Facts that share a source."""

    MODULE = "module"
    PINS = "pins"
    METER = "meter"
    FRONT_END = "front_end"
    DATAPOINTS = "datapoints"


@dataclass(frozen=True, slots=True)
class BoardPin:
    """One pin by the number of its chip (P26, GPIO12). ``channel`` is the relay that it belongs to; 0 for none."""

    pin: int
    role: BoardPinRole
    active: ActiveLevel = ActiveLevel.UNKNOWN
    channel: int = 0

    def __str__(self) -> str:
        number = f" {self.channel}" if self.channel else ""
        level = "" if self.active is ActiveLevel.UNKNOWN else f", active {self.active}"
        return f"P{self.pin} {self.role.value.replace('_', ' ')}{number}{level}"


@dataclass(frozen=True, slots=True)
class BoardMeter:
    """The metering chip and how it is read. ``chip`` is empty where an MCU measures with a chip that nobody named.

    ``front_end`` is a name of ``wattrail.front_end``; ``shunt_milliohms`` what the stock configuration says of it.
    """

    bus: BoardMeterBus
    chip: str = ""
    baud: int | None = None
    front_end: str | None = None
    shunt_milliohms: float | None = None

    @property
    def is_signed(self) -> bool:
        """Whether the chip gives power a sign, so that export differs from import."""
        # Pulses have no sign, and a microcontroller says power in its own way.
        return self.chip in {"bl0942", "bl0940"} and self.bus in {BoardMeterBus.UART, BoardMeterBus.SPI}


@dataclass(frozen=True, slots=True)
class StockDatapoint:
    """What the stock firmware calls a quantity: an integer of ``10**-decimals`` units."""

    id: int
    quantity: str
    unit: str
    decimals: int


@dataclass(frozen=True, slots=True)
class StockProduct:
    """The key under which the cloud knows a product that was seen on a board, and where that stands."""

    key: str
    where: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class FactSource:
    """Where some facts come from: a public repository and a path in it, or a page."""

    facts: tuple[FactGroup, ...]
    where: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class BoardDescription:
    """One board. ``name`` is the name of its file; ``firmware`` are the stock firmware's names where they are known.

    ``products`` were seen on it: the stock firmware keeps the key of its own.
    """

    name: str
    title: str
    kind: BoardKind
    chip: str
    meter: BoardMeter
    sources: tuple[FactSource, ...]
    vendor: str = ""
    models: tuple[str, ...] = ()
    module: str = ""
    pins: tuple[BoardPin, ...] = ()
    datapoints: tuple[StockDatapoint, ...] = ()
    firmware: tuple[str, ...] = ()
    products: tuple[StockProduct, ...] = ()
    note: str = ""

    def pins_with(self, *roles: BoardPinRole) -> tuple[BoardPin, ...]:
        """The pins with any of the roles, in their order."""
        return tuple(pin for pin in self.pins if pin.role in roles)

    def pin_with(self, *roles: BoardPinRole) -> BoardPin | None:
        """The first of them."""
        return next(iter(self.pins_with(*roles)), None)

    @property
    def words(self) -> str:
        """Everything that a search looks through."""
        parts: Iterable[str] = (
            self.name, self.title, self.vendor, *self.models, self.kind, self.chip, self.module,
            self.meter.chip, self.meter.bus, *self.firmware, *(one.key for one in self.products), self.note,
        )  # fmt: skip
        return " ".join(parts)


def check_takes_calibration(board: BoardDescription, how: str) -> None:
    """Raise ConfigError for a board whose meter has no constants in counts; ``how`` it is calibrated instead."""
    if not board.meter.is_signed:
        raise ConfigError(
            f"{board.name} has a {board.meter.chip or 'meter behind an MCU'}: "
            "a calibration in counts per volt, ampere and watt means nothing to it",
            hint=f"leave the calibration out, and calibrate {how}",
        )


CHIP_OF_MODULE: Final[Mapping[str, str]] = MappingProxyType(
    {
        "CB1S": "BK7231N", "CB2L": "BK7231N", "CB2S": "BK7231N", "CB3L": "BK7231N", "CB3S": "BK7231N",
        "CB3SE": "BK7231N", "CBLC5": "BK7231N", "CBU": "BK7231N", "T34": "BK7231N", "WB2L_M1": "BK7231N",
        "WA2": "BK7231Q", "WB1S": "BK7231T", "WB2L": "BK7231T", "WB2S": "BK7231T", "WB3L": "BK7231T",
        "WB3S": "BK7231T", "WBLC5": "BK7231T", "T1-2S": "BK7238", "T1-2S-NL": "BK7238", "T1-3S": "BK7238",
        "T1-M": "BK7238", "T1-U": "BK7238", "T1-U-HL": "BK7238", "WBR2": "RTL87X0C", "WBR3": "RTL87X0C",
    }
)  # fmt: skip
"""Tuya's modules, by the chip inside. Source: libretiny/boards, openbeken/devices."""


def chip_of_module(module: str) -> str:
    """The chip in a module; empty for a module that is not known."""
    return CHIP_OF_MODULE.get(module.upper(), "")
