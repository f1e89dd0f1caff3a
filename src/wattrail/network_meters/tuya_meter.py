"""A meter with Tuya's stock firmware: what its data points amount to, message by message.

The Wi-Fi module answers a query out of its cache, without asking the microcontroller behind it, and answers 0 for what
that has not reported since the module started. A zero from the cache therefore says nothing where all is zero, or
where the register has shown more before; a zero that the device pushes is believed. Messages name what changed: each is
a part of the whole.

A register that stands still is given with each other news as long as that fits the power since its last step. Where it
lags behind by more than a step, the device reports it less often than the power: it is then left out until it changes,
or the ledger would take hours of energy for those of seconds, and not believe them. Source: tuya/lan, tuya/data-points.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final

from wattrail.energy_register import Direction, EnergyRegister, Freshness, Persistence, RegisterCount, fastest
from wattrail.errors import UnexpectedReply
from wattrail.network_meters.decoded import MAX_WATTS, Decoded, MqttCommand, is_marked_simulated
from wattrail.network_meters.payload import parse_payload
from wattrail.network_meters.tuya_map import TuyaMap, TuyaPoint
from wattrail.units import Quantities

__all__ = ["ANSWER", "PUSH", "TuyaMeter"]

ANSWER: Final = "answer"
PUSH: Final = "push"
"""Where a report came from; a capture keeps these in place of a topic."""

_SUMMED: Final = ("amps", "watts")
_SWAPPED: Final = {Direction.IMPORT: Direction.EXPORT, Direction.EXPORT: Direction.IMPORT}
_MAX_RAW: Final = 2**63


class TuyaMeter:
    """One device by its map. ``news_s`` is how long a register that lags behind is left out at most.

    ``swap``: the current transformer is mounted the other way round, so that import and export change places.
    """

    def __init__(
        self,
        where: str,
        points: TuyaMap,
        *,
        swap: bool = False,
        max_watts: int = MAX_WATTS,
        news_s: float = 0.0,
        is_simulated: bool = False,
    ) -> None:
        self._where = where
        self._points = points.points
        self._swap = swap
        self._news_s = news_s
        self._is_simulated = is_simulated
        counters = points.registers
        self._telling = {point.id for point in self._points if point.word == "volts" or point.direction is not None}
        self._registers = {point.id: self._register(point, counters, max_watts) for point in counters}
        self._values: dict[int, object] = {}
        self._given_at: float | None = None
        self._lags_mwh = dict.fromkeys((register.direction for register in self._registers.values()), 0.0)
        """Energy by power since registers of a direction changed."""
        self._watts: float | None = None
        self._watts_at = 0.0
        self.has_news = False
        """Whether the last message showed that the microcontroller behind the module has spoken."""

    def filters(self) -> Sequence[str]:
        """Where reports come from."""
        return (ANSWER, PUSH)

    def commands(self) -> Sequence[MqttCommand]:
        """Nothing: the session asks."""
        return ()

    def receive(self, topic: str, payload: bytes, *, is_retained: bool, at: float) -> Decoded | None:
        """A report of data points, ``at`` a moment of the monotonic clock. None where it names none of the map.

        Raises UnexpectedReply.
        """
        del is_retained
        reported = _data_points(parse_payload(payload, self._where))
        self._is_simulated |= is_marked_simulated(*reported.values())
        known = {point.id: reported[str(point.id)] for point in self._points if str(point.id) in reported}
        is_push = topic == PUSH
        if not is_push:
            known = self._without_empty_cache(known)
        self.has_news = is_push or any(self._values.get(number) != value for number, value in known.items())
        registers = self._counts(known, at, is_push=is_push)
        self._values |= known
        if not known:
            return None
        sample = self._sample()
        self._watts, self._watts_at = sample.watts, at
        return Decoded(
            sample=sample,
            registers=registers,
            freshness=Freshness.PUSHED if is_push else Freshness.CACHED,
            is_simulated=self._is_simulated,
            is_power_only=not self._registers and self.has_news,
        )

    def _without_empty_cache(self, known: Mapping[int, object]) -> dict[int, object]:
        """What an answer says without the zeros of a cache that nothing was reported to."""
        numbers = {number: value for number, value in known.items() if not isinstance(value, str)}
        # Without voltage and energy zeros may well be true: of a load that is off.
        if self._telling.intersection(numbers) and not any(numbers.values()):
            return {}
        counters = {number: value for number, value in known.items() if number in self._registers}
        is_any_counted = any(counters.values())
        return {
            number: value
            for number, value in known.items()
            if value or number not in counters or (is_any_counted and not self._values.get(number))
        }

    def _counts(self, known: Mapping[int, object], at: float, *, is_push: bool) -> tuple[RegisterCount, ...]:
        """All registers, or none: of a sum that never was nobody could say when it was."""
        self._follow_power(at)
        named = {number: known[number] for number in self._registers if number in known}
        changed = {number for number, value in named.items() if self._values.get(number) != value}
        for number in changed:
            self._lags_mwh[self._registers[number].direction] = 0.0
        is_due = self._given_at is None or at - self._given_at >= self._news_s or self._is_up_to_date()
        is_new = bool(changed) or (is_push and bool(named))
        values = {number: self._values.get(number) for number in self._registers} | named
        if not values or None in values.values() or not (is_new or (is_due and self.has_news)):
            return ()
        counts = tuple(RegisterCount(self._registers[number], self._whole(number, values[number])) for number in values)
        self._given_at = at
        return counts

    def _follow_power(self, at: float) -> None:
        """Add what has flowed since the last report, by the power that it showed."""
        energy_mwh = (self._watts or 0.0) * (at - self._watts_at) / 3.6
        for direction in self._lags_mwh:
            way = {Direction.IMPORT: 1.0, Direction.EXPORT: -1.0}.get(direction)
            self._lags_mwh[direction] += abs(energy_mwh) if way is None else max(way * energy_mwh, 0.0)

    def _is_up_to_date(self) -> bool:
        """Whether every register has counted what the power says, but for the step that it is in."""
        return self._watts is not None and all(
            self._lags_mwh[register.direction] <= register.step_mwh for register in self._registers.values()
        )

    def _whole(self, number: int, value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not -_MAX_RAW < value < _MAX_RAW:
            raise UnexpectedReply(
                f"{self._where}: data point {number} is {str(value)[:60]!r}, expected the whole number of a register",
                hint="check the number of the data point in dps= or board=",
            )
        return value

    def _register(self, point: TuyaPoint, counters: Sequence[TuyaPoint], max_watts: int) -> EnergyRegister:
        direction = point.direction or Direction.IMPORT
        if self._swap:
            direction = _SWAPPED.get(direction, direction)
        is_alone = sum(other.direction is point.direction for other in counters) == 1
        return EnergyRegister(
            name=direction.value if is_alone else f"{direction}.{point.id}",
            step_mwh=point.step_mwh,
            direction=direction,
            # No vendor says what a power cut does to it.
            persistence=Persistence.UNKNOWN,
            max_counts_per_us=fastest(max_watts, point.step_mwh),
        )

    def _sample(self) -> Quantities:
        """Each quantity of all its data points, unknown until all of them have come."""
        found: dict[str, list[Decimal | None]] = {}
        for point in self._points:
            value = self._values.get(point.id)
            if point.direction is not None:
                continue
            if point.word == "direction":
                powers = found["watts"]  # the map has it directly before
                if powers[-1] is not None and value is not None and point.is_export(value, self._where):
                    powers[-1] = -abs(powers[-1])
            elif point.word.startswith("phase"):
                parts = (None, None, None) if value is None else point.phase(value, self._where)
                for name, part in zip(("volts", *_SUMMED), parts, strict=True):
                    found.setdefault(name, []).append(part)
            else:
                part = None if value is None else point.number(value, self._where)
                found.setdefault(point.word, []).append(part)
        whole = {name: _whole_of(name, parts) for name, parts in found.items()}
        if self._swap and whole.get("watts"):
            whole["watts"] = -(whole["watts"] or 0.0)
        return Quantities(**whole)


def _whole_of(name: str, parts: Sequence[Decimal | None]) -> float | None:
    known = [part for part in parts if part is not None]
    if len(known) < len(parts):
        return None
    return float(sum(known)) if name in _SUMMED else float(sum(known) / len(known))


def _data_points(document: object) -> Mapping[str, object]:
    """The data points of a report: ``dps`` itself, or below ``data`` from 3.4 on."""
    for _ in range(2):
        if not isinstance(document, Mapping):
            break
        points = document.get("dps")
        if isinstance(points, Mapping):
            return points
        document = document.get("data")
    return {}
