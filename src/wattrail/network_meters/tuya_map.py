"""What the data points of a device with Tuya's firmware mean: the scale is not on the wire, so somebody has to say it.

    101:volts/10,102:amps/100,103:watts/100,109:import/100

A number is divided by what stands behind the slash: 109 counts hundredths of a kilowatt-hour. ``direction`` is a data
point that says by a word which way the power before it flows. ``phase`` is a packet of bytes with volts, amperes and
watts of one phase. Two of one quantity are added up, voltages are averaged. Source: tuya/data-points.
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Final

from wattrail.energy_register import Direction
from wattrail.errors import UnexpectedReply
from wattrail.network_meters.decoded import UNIT_MWH
from wattrail.sanitize import printable

__all__ = ["TuyaMap", "TuyaPoint", "board_map", "parse_map"]

_QUANTITIES: Final = ("volts", "amps", "watts", "hertz", "power_factor", "celsius")
_PACKETS: Final = ("phase", "phase_dds238")
_DIRECTION: Final = "direction"
_WORDS: Final = (*_QUANTITIES, *Direction, _DIRECTION, *_PACKETS)
_ITEM: Final = re.compile(r"(?P<id>\d{1,3}):(?P<word>[a-z_0-9]+)(?:/(?P<divisor>1000000|100000|10000|1000|100|10|1))?")
MAX_POINTS: Final = 64
"""Data points of one map; the largest device in a public list has some forty that measure."""

_BOARD_WORDS: Final = {
    "voltage": "volts",
    "current": "amps",
    "power": "watts",
    "frequency": "hertz",
    "energy": "import",
}
"""Quantities of the boards' data. An "energy step" counts from the last report: not a register (tuya-local#420)."""

_FORWARD: Final = frozenset({"0", "false", "forward", "import", "consume"})
_REVERSE: Final = frozenset({"1", "true", "reverse", "export", "produce"})

_NO_VERSION_SIZES: Final = (8, 10)
_HEADS: Final = {b"\x01\x0f": 17, b"\x02\x0f": 18}
"""First bytes and lengths of packets that name their layout."""

_SIGN_OF_POWER: Final = 1 << 1


@dataclass(frozen=True, slots=True)
class TuyaPoint:
    """One data point: what it is, and by what its number is divided."""

    id: int
    word: str
    divisor: int = 1

    @property
    def direction(self) -> Direction | None:
        """Which way its register counts, None where it is none."""
        return Direction(self.word) if self.word in list(Direction) else None

    @property
    def step_mwh(self) -> Fraction:
        """What one count of its register is."""
        return UNIT_MWH["kWh"] / self.divisor

    def is_export(self, value: object, where: str) -> bool:
        """Which way a direction word says that power flows. Raises UnexpectedReply for another word."""
        word = str(value).strip().lower()
        if word not in _FORWARD | _REVERSE:
            raise UnexpectedReply(
                f"{where}: data point {self.id} is '{printable(word, limit=40)}', expected one of "
                f"{', '.join(sorted(_FORWARD | _REVERSE))}",
                hint="check which data point says the direction",
            )
        return word in _REVERSE

    def number(self, value: object, where: str) -> Decimal:
        """Its number by the scale. Raises UnexpectedReply for a text."""
        if isinstance(value, bool) or not isinstance(value, int | Decimal):
            raise UnexpectedReply(
                f"{where}: data point {self.id} is {printable(repr(value), limit=60)}, expected a number for "
                f"{self.word}",
                hint="check the number of the data point in dps= or board=",
            )
        return Decimal(value) / self.divisor

    def phase(self, value: object, where: str) -> tuple[Decimal, Decimal, Decimal]:
        """Volts, amperes and watts of a packet. Raises UnexpectedReply for a length or a head that is not known."""
        try:
            data = b64decode(value if isinstance(value, str) else "?", validate=True)
        except (binascii.Error, ValueError) as error:
            raise self._no_packet(repr(value), where) from error
        if self.word == "phase_dds238":
            if len(data) != 15 or data[0] > 1:
                raise self._no_packet(f"{len(data)} bytes {data.hex()}", where)
            watts = _int(data[1:4])
            return _scaled(_int(data[13:15]), _int(data[10:13]), -watts if data[0] else watts)
        if len(data) in _NO_VERSION_SIZES:
            return _scaled(_int(data[0:2]), _int(data[2:5]), _int(data[5:8]))
        if _HEADS.get(data[:2]) != len(data):
            raise self._no_packet(f"{len(data)} bytes {data.hex()}", where)
        watts = _int(data[7:10])
        is_negative = len(data) == 18 and bool(data[17] & _SIGN_OF_POWER)
        return _scaled(_int(data[2:4]), _int(data[4:7]), -watts if is_negative else watts)

    def _no_packet(self, got: str, where: str) -> UnexpectedReply:
        return UnexpectedReply(
            f"{where}: data point {self.id} is {printable(got, limit=80)}, expected a packet of 8, 10, 17 or 18 bytes, "
            "of 15 for phase_dds238",
            hint="leave it out of dps=, and take data points that are numbers",
        )


@dataclass(frozen=True, slots=True)
class TuyaMap:
    """All data points of one device."""

    points: tuple[TuyaPoint, ...]

    @property
    def ids(self) -> tuple[int, ...]:
        """Their numbers."""
        return tuple(point.id for point in self.points)

    @property
    def registers(self) -> tuple[TuyaPoint, ...]:
        """Those that count energy."""
        return tuple(point for point in self.points if point.direction is not None)


def parse_map(text: str) -> TuyaMap:
    """The map that ``dps=`` writes. Raises ValueError, which says where it goes wrong."""
    points = []
    for item in text.split(","):
        found = _ITEM.fullmatch(item.strip())
        if found is None:
            raise ValueError(f"{item!r} is not a data point like 101:volts/10 (divided by 1, 10, … 1000000)")
        number, word = int(found["id"]), found["word"]
        if not 1 <= number <= 255:
            raise ValueError(f"{number} is not a data point: they have numbers from 1 to 255")
        if word not in _WORDS:
            raise ValueError(f"{word!r} is not known: {', '.join(_WORDS)}")
        points.append(TuyaPoint(number, word, int(found["divisor"] or 1)))
    return _checked(points)


def board_map(points: Iterable[tuple[int, str, int]], direction: Direction) -> TuyaMap:
    """The map of a board, of (number, quantity, decimals) of its stock firmware; its energy counts ``direction``.

    Raises ValueError where none of them measures.
    """
    known = [
        (number, _BOARD_WORDS[quantity], decimals) for number, quantity, decimals in points if quantity in _BOARD_WORDS
    ]
    return _checked(
        TuyaPoint(number, direction.value if word == "import" else word, int(10**decimals))
        for number, word, decimals in known
    )


def _checked(found: Iterable[TuyaPoint]) -> TuyaMap:
    points = tuple(found)
    if not points:
        raise ValueError("no data point measures anything")
    if len(points) > MAX_POINTS or len({point.id for point in points}) < len(points):
        raise ValueError(f"at most {MAX_POINTS} data points, each once")
    before = ""
    for point in points:
        if point.word == _DIRECTION and before != "watts":
            raise ValueError(
                f"{point.id}:direction follows the watts that it is about, as in 101:watts/10,102:direction"
            )
        before = point.word
    return TuyaMap(points)


def _int(data: bytes) -> int:
    return int.from_bytes(data, "big")


def _scaled(volts: int, milliamps: int, watts: int) -> tuple[Decimal, Decimal, Decimal]:
    return Decimal(volts) / 10, Decimal(milliamps) / 1000, Decimal(watts)
