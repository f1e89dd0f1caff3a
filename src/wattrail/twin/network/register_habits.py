"""An energy register with the bad habits of real firmware: true energy goes in, what the device shows comes out.

Pure and without a clock: the caller says how much energy flowed in how much time, and every fault is a call. Energy is
an integer number of microjoules (watt-microseconds), so that what a device lost is known to the step.

    register = SimulatedRegister(HABITS["openbeken"])
    register.flow(import_uj=3_600_000_000, seconds=3.6)    # one watt-hour
    register.power_cut(); register.power_on()               # back to the last save
    register.count, register.evidence()
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from wattrail.energy_register import MWH_PER_KWH, BootEvidence, Direction, Persistence

__all__ = ["HABITS", "UJ_PER_WH", "RegisterHabits", "SimulatedRegister", "as_float32"]

UJ_PER_WH: Final = 3_600_000_000
_UJ_PER_MWH: Final = 3_600_000


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterHabits:
    """How one kind of register counts, and how it falls. Energies in microjoules.

    ``keeps_over_restart``: a restart without a power cut loses nothing. ``save_step_uj``, ``saves_at_midnight``: when
    the value is written to flash. ``midnight_step_uj``: at midnight what is below this step is cut off.
    ``restore_delay_s``: for so long after a boot it shows only what it counted since (``lacks_today``: all but the
    current day). ``adds_yesterday``: a power cut adds the energy of the day before once more.
    ``has_uptime``, ``has_boot_count``, ``has_reset_reason``, ``has_start_stamp``: what it tells about its boots.
    """

    step_mwh: Fraction
    direction: Direction
    persistence: Persistence
    modulus: int | None = None
    keeps_over_restart: bool = True
    save_step_uj: int | None = None
    saves_at_midnight: bool = False
    midnight_step_uj: int = 0
    restore_delay_s: float = 0.0
    lacks_today: bool = False
    adds_yesterday: bool = False
    is_float32: bool = False
    has_uptime: bool = False
    has_boot_count: bool = False
    has_reset_reason: bool = False
    has_start_stamp: bool = False


_KWH3, _KWH2, _WH = Fraction(1000), Fraction(10_000), Fraction(1000)

HABITS: Final = {
    # Sources: network-meter fact sheet of docs/references.md; the comment names what was seen where.
    "tasmota": RegisterHabits(  # Tasmota#20668 midnight, #5473 fall to midnight, #16791 wrong rise
        step_mwh=_KWH3, direction=Direction.SUM, persistence=Persistence.SAVED, saves_at_midnight=True,
        midnight_step_uj=UJ_PER_WH, restore_delay_s=20, lacks_today=True, adds_yesterday=True,
        has_uptime=True, has_boot_count=True, has_reset_reason=True, has_start_stamp=True,
    ),
    "openbeken": RegisterHabits(  # saves each 10 Wh; what a soft restart without a save does is the same as a cut
        step_mwh=Fraction(10), direction=Direction.SUM, persistence=Persistence.SAVED, save_step_uj=10 * UJ_PER_WH,
        keeps_over_restart=False, has_uptime=True, has_start_stamp=True,
    ),
    "esphome-integration": RegisterHabits(  # flash_write_interval, float32
        step_mwh=_KWH3, direction=Direction.NET, persistence=Persistence.SAVED, save_step_uj=20 * UJ_PER_WH,
        is_float32=True, has_uptime=True,
    ),
    "esphome-bl0942": RegisterHabits(  # soft-resets the chip at each boot
        step_mwh=_KWH3, direction=Direction.SUM, persistence=Persistence.VOLATILE, keeps_over_restart=False,
        has_uptime=True,
    ),
    "shelly-plug": RegisterHabits(  # watt-minutes in RAM
        step_mwh=Fraction(50, 3), direction=Direction.SUM, persistence=Persistence.VOLATILE, keeps_over_restart=False,
        has_uptime=True,
    ),
    "shelly-em": RegisterHabits(
        step_mwh=Fraction(100), direction=Direction.IMPORT, persistence=Persistence.KEPT, has_uptime=True
    ),
    "billing-meter": RegisterHabits(step_mwh=_WH, direction=Direction.IMPORT, persistence=Persistence.KEPT),
    "homematic": RegisterHabits(  # 23 bits of 0.1 Wh: a real wrap
        step_mwh=Fraction(100), direction=Direction.IMPORT, persistence=Persistence.KEPT, modulus=1 << 23
    ),
    "tuya": RegisterHabits(  # 0 from the module's cache until the MCU reports
        step_mwh=_KWH2, direction=Direction.IMPORT, persistence=Persistence.UNKNOWN, save_step_uj=100 * UJ_PER_WH,
        restore_delay_s=90,
    ),
    "zigbee2mqtt": RegisterHabits(  # zigbee2mqtt#27990: 0 at power-on
        step_mwh=_KWH2, direction=Direction.IMPORT, persistence=Persistence.UNKNOWN, save_step_uj=10 * UJ_PER_WH,
        restore_delay_s=30,
    ),
    "today": RegisterHabits(  # total_daily_energy
        step_mwh=_KWH3, direction=Direction.IMPORT, persistence=Persistence.PERIODIC, save_step_uj=20 * UJ_PER_WH
    ),
}  # fmt: skip
"""Registers of real devices, by the kind of source."""


class SimulatedRegister:
    """One register of one device. ``import_uj`` and ``export_uj`` are the truth: what flowed, seen or not."""

    def __init__(self, habits: RegisterHabits, *, total_uj: int = 0) -> None:
        self.habits = habits
        self.import_uj = self.export_uj = 0
        self.is_on = True
        self.uptime_s = 0.0
        self.pace = Fraction(1)
        """How many times too fast it counts: a thousandth in OpenBeken's Linux build."""
        self._total = self._saved = total_uj
        self._today = self._saved_today = self._yesterday = 0
        self._hidden = 0
        """Part of the total that is not shown until it is restored."""
        self._boots, self._resets, self._firmwares = 1, 0, 1
        self._is_power_on, self._reason = True, "Power On"
        self._shown_instead: int | None = None

    # What the device shows

    @property
    def energy_uj(self) -> int:
        """What the register holds, before it is rounded to its step."""
        return self._total - self._hidden

    @property
    def count(self) -> int:
        """What the device shows, in counts of the register's step."""
        if self._shown_instead is not None:
            return self._shown_instead
        step, energy = self.habits.step_mwh, self.energy_uj
        # ESPHome sends a float of 32 bits: above 16 384 kWh a watt-hour is less than its last bit.
        if self.habits.is_float32:
            count = round(Fraction(as_float32(energy / _UJ_PER_MWH / MWH_PER_KWH)) * MWH_PER_KWH / step)
        else:
            count = energy * step.denominator // (step.numerator * _UJ_PER_MWH)
        return count if self.habits.modulus is None else count % self.habits.modulus

    @property
    def mwh(self) -> Fraction:
        """What the device shows, in exact milliwatt-hours."""
        return self.count * self.habits.step_mwh

    @property
    def is_restoring(self) -> bool:
        """Whether part of its total is not shown yet, after a boot."""
        return self._hidden != 0

    def evidence(self) -> BootEvidence:
        """What the device says about its restarts; what its kind does not say is left out."""
        habits = self.habits
        return BootEvidence(
            uptime_s=self.uptime_s if habits.has_uptime else None,
            boot_count=self._boots if habits.has_boot_count else None,
            reset_reason=self._reason if habits.has_reset_reason else "",
            is_power_on=self._is_power_on if habits.has_reset_reason else None,
            start_stamp=f"reset {self._resets}" if habits.has_start_stamp else "",
            revision=f"firmware {self._firmwares}" if self._firmwares > 1 else "",
        )

    # What flows

    def flow(self, import_uj: int = 0, export_uj: int = 0, *, seconds: float) -> None:
        """Energy flows for a while; a device without power counts none of it."""
        self.import_uj += import_uj
        self.export_uj += export_uj
        if not self.is_on:
            return
        import_uj, export_uj = int(import_uj * self.pace), int(export_uj * self.pace)
        self._today += import_uj
        self._total += _added(self.habits.direction, import_uj, export_uj)
        self.uptime_s += seconds
        if self._hidden and self.uptime_s >= self.habits.restore_delay_s:
            self._hidden = 0
        if self.habits.save_step_uj and abs(self._total - self._saved) >= self.habits.save_step_uj:
            self._save()

    def midnight(self) -> None:
        """The device's day ends."""
        if not self.is_on:
            return
        if self.habits.persistence is Persistence.PERIODIC:
            self._total = self._saved = 0
        if self.habits.midnight_step_uj:
            # Tasmota #20668, "as designed": the rest below three decimals is cut, half a watt-hour on average.
            self._total -= self._total % self.habits.midnight_step_uj
        self._yesterday, self._today = self._today, 0
        if self.habits.saves_at_midnight:
            self._save()

    # Faults

    def power_cut(self) -> None:
        """Power fails: what was not saved is gone, and nothing is counted until ``power_on``."""
        self.is_on = False

    def power_on(self) -> None:
        """Power is back: the register is what its kind makes of that."""
        self.is_on = True
        self._boot("Power On", is_power_on=True)
        match self.habits.persistence:
            case Persistence.VOLATILE:
                self._total = self._saved = 0
            case Persistence.SAVED | Persistence.UNKNOWN | Persistence.PERIODIC:
                self._total, self._today = self._saved, self._saved_today
                if self.habits.adds_yesterday:
                    # Tasmota #16791: the day before is added once more, so a total can also rise by a power cut.
                    self._total += self._yesterday
                    self._save()
        self._hide()

    def restart(self) -> None:
        """The firmware restarts under power: by command, after an update, by its watchdog."""
        self._boot("Software/System restart", is_power_on=False)
        if not self.habits.keeps_over_restart and self.habits.persistence is not Persistence.KEPT:
            is_volatile = self.habits.persistence is Persistence.VOLATILE
            self._total = 0 if is_volatile else self._saved
        self._hide()

    def update_firmware(self) -> None:
        """Other firmware that continues the same register; its version says so."""
        self._firmwares += 1
        self.restart()

    def reset(self, total_uj: int = 0) -> None:
        """A person sets the total by command."""
        self._total, self._today, self._hidden = total_uj, 0, 0
        self._resets += 1
        self._save()

    def show(self, count: int) -> None:
        """From now on it shows this, whatever it holds: garbage, or a 0 from a cache."""
        self._shown_instead = count

    def recover(self) -> None:
        """It shows what it holds again."""
        self._shown_instead = None

    def change_to(self, habits: RegisterHabits) -> None:
        """Other firmware with other habits: another step, export added or subtracted. What it holds stays."""
        self.habits = habits
        self.update_firmware()

    def _boot(self, reason: str, *, is_power_on: bool) -> None:
        self.uptime_s, self._boots = 0.0, self._boots + 1
        self._reason, self._is_power_on = reason, is_power_on

    def _hide(self) -> None:
        if self.habits.restore_delay_s:
            self._hidden = self._today if self.habits.lacks_today else self._total

    def _save(self) -> None:
        self._saved, self._saved_today = self._total, self._today


def _added(direction: Direction, import_uj: int, export_uj: int) -> int:
    match direction:
        case Direction.IMPORT:
            return import_uj
        case Direction.EXPORT:
            return export_uj
        case Direction.SUM:
            return import_uj + export_uj
        case Direction.NET:
            return import_uj - export_uj


def as_float32(value: float) -> float:
    """What is left of a number in a float of C."""
    return float(struct.unpack("<f", struct.pack("<f", value))[0])
