"""A metering chip as a meter: the chip's core times an open carrier, in readings.

Connecting sets the chip up and proves it by reading back. A reading is what the chip said twice: two samples in a row
must agree in every register, more where the line misbehaves, because the checksum is only eight bits wide, and because
over SPI the registers are read one by one and a refresh can fall in between. Whatever goes wrong is retried a bounded
number of times and counted.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime
from typing import Final, Self

from wattrail.calibration import Calibration
from wattrail.chips import CHIPS, DEFAULT_CHIP
from wattrail.chips.protocol import ChipSample, MeteringChip
from wattrail.clock import Clock
from wattrail.energy_register import BootEvidence, EnergyRegister, RegisterCount
from wattrail.errors import ImplausibleReading, LinkError, TargetError
from wattrail.meter.chip_client import TRIES, ChipClient, Statistics, open_client
from wattrail.meter.diagnosis import explain_silence
from wattrail.metrology.scale_origin import CALIBRATED, ScaleOrigin
from wattrail.transport import Bus, Port, unlogged
from wattrail.units import Reading
from wattrail.wire import Register

__all__ = ["MAX_SAMPLES", "Meter"]

MAX_SAMPLES: Final = 12
"""How many samples are taken for one reading before it is given up."""

# Two on every line was tried: a channel that swaps bytes, which the sum cannot see, and damages four
# frames in ten made the same wrong frame twice in a row once in some ten thousand readings (ADR 11).
MIN_AGREEING: Final = 2
MAX_AGREEING: Final = 4
"""Samples in a row that must agree: on a line that behaves, one more after each disagreement; on one that does not."""

TRUST_AFTER: Final = 20
"""Readings without a single failed exchange until a line is one that behaves."""

MAX_PULSES_BETWEEN: Final = 4
"""The energy counter makes at most twenty pulses a second, and a slow sample with a retry takes 0.2 s."""

# No datasheet says how long the averages take to settle; this flushes them once.
SETTLING_REFRESHES: Final = 2
"""Refreshes until the averages have forgotten what was before: the one it falls into, and a whole one."""

MAX_SETTLING_SAMPLES: Final = 3
"""Refreshes until mains and load that begin together have left the averages, and one more."""

_NOISY: Final = "lower the SPI clock or shorten the wires; at heavy load use 9600 baud or more over UART"

logger = logging.getLogger(__name__)


class Meter:
    """One meter on an open carrier. Not for several threads at once."""

    def __init__(
        self,
        carrier: Port | Bus,
        calibration: Calibration,
        *,
        chip: MeteringChip = CHIPS[DEFAULT_CHIP],
        address: int = 0,
        read_head: int | None = None,
        scale: ScaleOrigin = CALIBRATED,
    ) -> None:
        self.calibration = calibration
        self.chip = chip
        self.scale = scale
        self.statistics = Statistics()
        self._carrier = carrier
        self._client = open_client(carrier, chip, self.statistics, address=address, read_head=read_head)
        self._is_reset = False
        self._clean_readings = 0
        self._energy = (calibration, chip.energy_register(calibration))

    @property
    def url(self) -> str:
        """Where the meter is."""
        return self._carrier.url

    @property
    def simulated(self) -> bool:
        """Whether the meter is a twin, or a capture of one."""
        return self._carrier.simulated

    @property
    def recorded_at(self) -> datetime | None:
        """When what was read last was recorded, where a capture stands in the meter's place; else None."""
        moment = getattr(unlogged(self._carrier), "recorded_at", None)
        return moment if isinstance(moment, datetime) else None

    @property
    def clock(self) -> Clock:
        """The clock of the carrier: a twin's own where there is one, so that no test waits."""
        return self._carrier.clock

    @property
    def client(self) -> ChipClient:
        """What the meter speaks through, for reads that ``read`` does not do; not while ``read`` runs."""
        return self._client

    @property
    def wh_per_count(self) -> float:
        """Energy of one count of the energy counter in watt-hours."""
        return self.chip.scaling.wh_per_count(self.calibration)

    @property
    def settling_s(self) -> float:
        """Time until the averages have forgotten what was before."""
        return SETTLING_REFRESHES * self.chip.refresh_s

    def close(self) -> None:
        """Give the carrier back."""
        self._carrier.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def connect(self) -> None:
        """Find the chip and set it up: unlock, write what differs, read it back, lock again.

        Raises NoAnswer or ChecksumError with the cause where asking around and listening finds one, TargetError if the
        chip keeps an old value, PortError.
        """
        try:
            self._client.recover()
            found = self._set_up()
            self._is_reset |= self.chip.was_reset(found)
        except (LinkError, TargetError) as error:  # bytes of others may look like a chip that takes no writes
            raise explain_silence(self._client, error) from error
        logger.info("connected: %s, %s", self.url, _found_words(found))

    def read(self) -> Reading:
        """One reading, confirmed by two samples that agree.

        Raises ImplausibleReading if samples keep disagreeing or contradict physics, NoAnswer, ChecksumError, PortError.
        """
        first = self.statistics.exchanges
        sample = self._settled()
        # MODE is read after every sample: a chip that has lost its counter says so there, and nowhere else (ADR 12).
        if found := self._set_up():  # set otherwise since, by a restart or by somebody, perhaps in between: once more
            is_reset = self.chip.was_reset(found)
            self._is_reset |= is_reset
            self.statistics.restarts += is_reset
            logger.info("sampling again: %s, %s", self.url, _found_words(found))
            sample = self._settled()
        self.statistics.readings += 1
        reading = self._reading(sample, self.statistics.exchanges - first)
        if logger.isEnabledFor(logging.DEBUG):
            logger.debug("reading: %s", _scaled_words(self.chip, reading))
        self._is_reset = False
        return reading

    def read_registers(self) -> dict[Register, int]:
        """Every register's count, in datasheet order. Raises as ``read``."""
        return {register: self._client.read_register(register) for register in self.chip.registers}

    def _set_up(self) -> dict[Register, int]:
        """Bring the chip's settings in line; returns what was found where it was off."""
        settings, protection = self.chip.settings, self.chip.protection
        # No soft reset before it: that would clear the energy counter (esphome/esphome PR #7428).
        found = {register: self._confirmed(register, count) for register, count in settings.items()}
        wrong = {register: count for register, count in settings.items() if found[register] != count}
        if not wrong:
            return {}
        if protection:
            self._write(protection.register, protection.unlock, reads=protection.unlocked_reads)
        for register, count in wrong.items():
            self._write(register, count, reads=(count,))
        if protection:
            # Locked again: a frame that writes has no more protection on the wire than a sum of eight bits.
            self._write(protection.register, protection.lock, reads=(protection.lock,))
        self.clock.sleep(self.settling_s)
        return {register: found[register] for register in wrong}

    def _confirmed(self, register: Register, expected: int) -> int:
        """A register's count; one that surprises is believed only if it keeps coming."""
        for _ in range(MAX_SAMPLES):
            counts = {self._client.read_register(register)}
            if counts != {expected}:
                counts |= {self._client.read_register(register) for _ in range(MAX_AGREEING - 1)}
            if len(counts) == 1:
                return counts.pop()
            self.statistics.disagreements += 1
        raise ImplausibleReading(f"{register.name} at {self.url}: it reads differently every time", hint=_NOISY)

    def _write(self, register: Register, count: int, *, reads: tuple[int, ...]) -> None:
        for _ in range(TRIES):
            self._client.write_register(register, count)
            # The chip acknowledges no write, and drops a damaged one without a word. Source: bl0942-ds/uart-frame
            if (got := self._client.read_register(register)) in reads:
                return
            self.statistics.retries += 1
        raise TargetError(
            f"{register.name} at {self.url}: wrote {count:#x}, reads back {got:#x}",
            hint="the chip hears reads but takes no writes: check its supply and the line to its data input",
        )

    def _agreed(self) -> ChipSample:
        """Take samples until enough in a row agree; on a line that has failed lately more must."""
        failures = self.statistics.failures
        needed = MIN_AGREEING if self._clean_readings >= TRUST_AFTER else MAX_AGREEING
        run: list[ChipSample] = []
        for _ in range(MAX_SAMPLES):
            now = self._client.sample()
            # All are compared, not suspicious ones alone: an error of one count is not suspicious (ADR 11).
            if run and not self._agree(run[-1], now):
                logger.info("two samples differ: %s; sampling again", self.url)
                run = []
                self.statistics.disagreements += 1
                needed = min(needed + 1, MAX_AGREEING)
            run.append(now)
            if self.statistics.failures > failures:
                self._clean_readings, needed = 0, MAX_AGREEING
            if len(run) >= needed and (confirmed := _confirmed(run)):
                self._clean_readings += 1
                return confirmed
        self._clean_readings = 0
        raise ImplausibleReading(f"{self.url}: {MAX_SAMPLES} samples, and no {needed} in a row agreed", hint=_NOISY)

    def _agree(self, before: ChipSample, now: ChipSample) -> bool:
        """Whether two samples fell into one refresh: all equal, but for pulses of the energy counter."""
        pulses = self.chip.counts_between(before.energy_count, now.energy_count)
        return before.held == now.held and abs(pulses) <= MAX_PULSES_BETWEEN

    def _settled(self) -> ChipSample:
        """A sample that physics allows; one that may be a load switching on in mid-refresh is given time to settle."""
        for _ in range(MAX_SETTLING_SAMPLES):
            sample = self._agreed()
            if reasons := sample.contradictions():
                break
            if not (excess := sample.excess_power()):
                return sample
            reasons = (excess,)
            self.clock.sleep(self.chip.refresh_s)
        self.statistics.implausible += 1
        raise ImplausibleReading(
            f"{self.url}: consistent but physically impossible values: {'; '.join(reasons)}",
            hint="check the wiring of the data line and lower the rate: damage that repeats comes from timing",
        )

    def _reading(self, sample: ChipSample, exchanges: int) -> Reading:
        clock = self.clock
        return Reading(
            at=clock.now(),
            monotonic=clock.monotonic(),
            sample=sample,
            calibration=self.calibration,
            registers=(RegisterCount(self._energy_register(), sample.energy_count),),
            evidence=BootEvidence(is_reset=self._is_reset),
            exchanges=exchanges,
            simulated=self.simulated,
        )

    def _energy_register(self) -> EnergyRegister:
        """The energy counter by the calibration that holds now; made again only when that changes."""
        if self._energy[0] is not self.calibration:
            self._energy = (self.calibration, self.chip.energy_register(self.calibration))
        return self._energy[1]


def _found_words(found: Mapping[Register, int]) -> str:
    """Settings that were off, as they were found."""
    if not found:
        return "its settings are as they should be"
    return "settings written: " + ", ".join(f"{register.name} was {count:#x}" for register, count in found.items())


def _scaled_words(chip: MeteringChip, reading: Reading) -> str:
    """Each count beside what it amounts to."""
    assert reading.calibration is not None, "a chip's readings carry their calibration"
    words = []
    for name, count in reading.sample.counts.items():
        label = name.upper()
        scale = chip.scales.get(label)
        value = scale.scale(count, reading.calibration) if scale else None
        scaled = f" = {value:.{scale.decimals + 1}f} {scale.unit}" if scale and value is not None else ""
        words.append(f"{label} {count}{scaled}")
    return ", ".join(words)


def _confirmed(run: list[ChipSample]) -> ChipSample | None:
    """The sample whose energy counter is confirmed too: seen twice, or between an earlier and a later one."""
    if run[-1].energy_count == run[-2].energy_count:
        return run[-1]
    return run[-2] if len(run) > 2 else None
