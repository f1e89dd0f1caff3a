"""The protocol of chips: every chip states what rooms take from it, and the next kinds of chips can be stated too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path

import pytest

from wattrail.calibration import Calibration
from wattrail.chips import BL0942, CHIPS, Capability, MeteringChip, chip_named
from wattrail.chips.protocol import ChipSample
from wattrail.chips.scaling import Scaling
from wattrail.energy_register import Direction, Persistence, RegisterCount
from wattrail.errors import UrlError
from wattrail.front_end import FRONT_ENDS, front_ends_of
from wattrail.meter.chip_client import Statistics, open_client
from wattrail.transport import open_port
from wattrail.transport.schemes import METER_OPTIONS
from wattrail.twin.carrier import OPTIONS as TWIN_OPTIONS
from wattrail.twin.chips import CHIP_MODELS
from wattrail.units import Quantities, Reading
from wattrail.wire import Access

every_chip = pytest.mark.parametrize("chip", CHIPS.values(), ids=CHIPS)


@dataclass(frozen=True)
class PulseSample:
    """A chip of pulses, as a BL0937: volts or amperes by turns, power from the same pulses as energy."""

    energy_count: int
    hertz_of_power: float
    held: tuple[int, ...] = ()
    sees_mains: bool = True

    @property
    def counts(self) -> Mapping[str, int]:
        return {"pulses": self.energy_count}

    def quantities(self, calibration: Calibration | None) -> Quantities:
        assert calibration is not None
        return Quantities(watts=self.hertz_of_power / calibration.counts_per_watt)

    def contradictions(self) -> tuple[str, ...]:
        return ()

    def excess_power(self) -> str:
        return ""


def pulses(_: object) -> ChipSample:
    return PulseSample(energy_count=0, hertz_of_power=0.0)


BL0937 = MeteringChip(
    name="bl0937",
    direction=Direction.SUM,
    modulus=None,
    scaling=Scaling(
        v_rms_per_mv=15397 / 1218, i_rms_per_mv=94638 / 1218, watt_per_mv2=1721506 / 1218**2,
        watt_us_per_count=1_000_000, max_watt=6000, v_full_scale_mv=141.0, i_full_scale_mv=35.0,
    ),
    refresh_s=1.0,
    sample_of=pulses,
)  # fmt: skip


ROOT = Path(__file__).resolve().parents[2]


@every_chip
def test_a_chip_stands_wherever_the_recipe_of_a_chip_says(chip: MeteringChip) -> None:
    """The recipe of docs/architecture.md: its two folders, its page, its tests, and each table that lists chips."""
    named = (
        f"src/wattrail/chips/{chip.name}/chip.py", f"src/wattrail/twin/chips/{chip.name}/array.py",
        f"docs/protocols/{chip.name}.md", f"tests/{chip.name}",
    )  # fmt: skip
    assert [path for path in named if not (ROOT / path).exists()] == []
    assert chip.name in CHIP_MODELS
    assert front_ends_of(chip.name)
    (of_twins,) = (option for option in TWIN_OPTIONS if option.name == "chip")
    assert of_twins.convert(chip.name) == chip.name
    (of_wires,) = (option for option in METER_OPTIONS if option.name == "chip")
    assert f"chip={chip.name}" in of_wires.help


@every_chip
def test_settings_are_writable_registers_that_a_reset_changes_back(chip: MeteringChip) -> None:
    assert chip_named(chip.name) is chip
    assert all(register.access is Access.READ_WRITE for register in chip.settings)
    assert chip.reset_marker in chip.settings
    assert chip.settings[chip.reset_marker] != chip.reset_marker.reset
    assert chip.protection is not None
    assert chip.protection.register.access is Access.KEY


@every_chip
def test_everything_that_is_named_is_in_the_table_of_registers(chip: MeteringChip) -> None:
    named = [chip.energy, *chip.spi_sample, *chip.settings, *chip.probed]
    assert all(register in chip.registers for register in named)
    assert set(chip.scales) <= {register.name for register in chip.registers}
    assert (chip.spi_sample == ()) == (Capability.SPI in chip.obstacles)
    assert (chip.wave is None) == (Capability.WAVEFORM in chip.obstacles)


@every_chip
def test_every_front_end_of_a_chip_scales_it(chip: MeteringChip) -> None:
    for front_end in front_ends_of(chip.name):
        calibration = chip.scaling.calibration_of(front_end)
        assert chip.scaling.disagreement(calibration) == pytest.approx(0, abs=1e-9)
        step = chip.energy_register(calibration).step_mwh
        assert float(step) == pytest.approx(1000 * chip.scaling.wh_per_count(calibration), rel=1e-8)


def test_the_energy_register_of_a_bl0942_is_exact() -> None:
    calibration = BL0942.scaling.calibration_of(FRONT_ENDS["pziot-e01"])
    register = BL0942.energy_register(calibration)
    assert (register.direction, register.persistence) == (Direction.SUM, Persistence.VOLATILE)
    assert (register.modulus, register.max_counts_per_us) == (1 << 24, Fraction(1 << 23, 419_430_400_000))
    # 1638.4 * 256 WATT-seconds a count, and counts per watt to the six decimals that a database keeps
    per_watt = Fraction(round(calibration.counts_per_watt * 1_000_000), 1_000_000)
    assert register.step_mwh == Fraction(419_430_400_000, 3_600_000) / per_watt


def test_a_chip_of_pulses_has_no_registers_and_still_gives_readings() -> None:
    calibration = Calibration(5.37, 77.7, 0.493)
    register = BL0937.energy_register(calibration)
    assert BL0937.counts_between(1 << 30, (1 << 30) + 5) == 5
    assert float(register.step_mwh) == pytest.approx(1000 / 3600 / 0.493, rel=1e-5)
    sample = PulseSample(energy_count=7, hertz_of_power=50.0)
    reading = Reading(
        at=datetime(2026, 6, 21, tzinfo=UTC), monotonic=0.0, sample=sample, calibration=calibration,
        registers=(RegisterCount(register, 7),),
    )  # fmt: skip
    assert reading.watts == pytest.approx(101.4, abs=0.1)
    assert (reading.volts, reading.amps, reading.energy_count) == (None, None, 7)


def test_a_chip_without_a_uart_says_so() -> None:
    with open_port("twin://lspa9") as port, pytest.raises(UrlError, match=r"BL0937 at .*: it is not read over UART"):
        open_client(port, BL0937, Statistics())


def test_an_unknown_chip_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UrlError, match="unknown chip 'bl0938'; known: bl0942, bl0940"):
        chip_named("bl0938")
