"""What some source says of a board whose name is not known: a configuration, a dump, a device that runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import combinations

from wattrail.board.model import ActiveLevel, BoardMeterBus, BoardPin

__all__ = ["ObservedWiring", "disagreements"]


@dataclass(frozen=True, slots=True)
class ObservedWiring:
    """What ``where`` says; an empty or missing field says nothing about it.

    ``product`` is the key under which the cloud knows the product, ``datapoints`` are the numbers of all that it has.
    ``is_without_meter`` is a source that names every part of its board, and no metering chip.
    """

    where: str
    module: str = ""
    chip: str = ""
    metering_chip: str = ""
    bus: BoardMeterBus | None = None
    pins: tuple[BoardPin, ...] = field(default=())
    baud: int | None = None
    is_without_meter: bool = False
    product: str = ""
    datapoints: frozenset[int] = frozenset()

    @property
    def is_empty(self) -> bool:
        """Whether nothing in it tells one board from another."""
        return not (self.pins or self.metering_chip or self.bus)

    @property
    def is_any_microcontroller(self) -> bool:
        """Whether all that is said is that a microcontroller does the work: a thermostat says the same as a meter."""
        return self.bus is BoardMeterBus.TUYAMCU and not (self.pins or self.metering_chip)


def disagreements(observed: Sequence[ObservedWiring]) -> tuple[str, ...]:
    """Where two of them contradict each other: the same fact, said differently."""
    return tuple(text for first, second in combinations(observed, 2) for text in _between(first, second))


def _between(first: ObservedWiring, second: ObservedWiring) -> Iterator[str]:
    facts = (
        ("module", first.module, second.module),
        ("chip", first.chip, second.chip),
        ("metering chip", first.metering_chip, second.metering_chip),
        ("bus of the meter", first.bus, second.bus),
    )
    for name, one, other in facts:
        if one and other and one != other:
            yield f"{name}: {first.where} says {one}, {second.where} says {other}"
    by_number = {pin.pin: pin for pin in second.pins}
    by_use = {(pin.role, pin.channel): pin for pin in second.pins}
    for pin in first.pins:
        same_pin, same_use = by_number.get(pin.pin), by_use.get((pin.role, pin.channel))
        if same_pin is not None and not _agree(pin, same_pin):
            yield f"P{pin.pin}: {first.where} says {_what(pin)}, {second.where} says {_what(same_pin)}"
        elif same_use is not None and same_use.pin != pin.pin:
            use = _what(pin).partition(",")[0]
            yield f"{use}: {first.where} says P{pin.pin}, {second.where} says P{same_use.pin}"


def _agree(one: BoardPin, other: BoardPin) -> bool:
    # OpenBeken's roles always have a level, the stock configuration often has none, which contradicts nothing.
    levels = {one.active, other.active} - {ActiveLevel.UNKNOWN}
    return one.role is other.role and len(levels) <= 1


def _what(pin: BoardPin) -> str:
    return str(pin).partition(" ")[2]
