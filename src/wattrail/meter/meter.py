"""A BL0942 as a meter: the chip's core times an open carrier, in readings.

Connecting sets the chip up and proves it by reading back. A reading is what the chip said twice: two looks in a row
must agree in every register, more where the line misbehaves, because the checksum is only eight bits wide, and because
over SPI the registers are read one by one and a refresh can fall in between. Whatever goes wrong is retried a bounded
number of times and counted.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import datetime
from types import TracebackType
from typing import Final, Self

from wattrail.chips.bl0942.constants import REFRESH_S
from wattrail.chips.bl0942.parts import FRONT_ENDS
from wattrail.chips.bl0942.plausible import contradictions, excess_power
from wattrail.chips.bl0942.registers import (
    GAIN,
    GAIN_CR,
    LOCK_KEY,
    MODE,
    REGISTERS,
    RMS_UPDATE,
    UNLOCK_KEY,
    UNLOCKED_READS,
    USR_WRPROT,
    Gain,
    RmsUpdate,
)
from wattrail.chips.bl0942.scale_origin import (
    CALIBRATED,
    Scale,
    ScaleClaims,
    ScaleOrigin,
    ScaleSource,
    fitting_front_ends,
    held_scale,
    is_mains_voltage,
    scale_of_parts,
)
from wattrail.chips.bl0942.scaling import Calibration, amps, counter_difference, hertz, volts, watts
from wattrail.chips.bl0942.snapshot import Snapshot
from wattrail.clock import Clock
from wattrail.errors import ImplausibleReading, LinkError, TargetError, UrlError
from wattrail.meter.diagnosis import explain_silence
from wattrail.meter.dialogue import TRIES, Dialogue, open_dialogue
from wattrail.meter.statistics import Statistics
from wattrail.transport import Bus, Port, open_port, unlogged
from wattrail.units import Reading
from wattrail.urls import split
from wattrail.wire import Register

__all__ = ["SETTINGS", "Meter", "open_meter", "open_scaled", "require_known", "scale_doubt", "usual_scale"]

SETTINGS: Final = {
    MODE: RMS_UPDATE.put(MODE.reset, RmsUpdate.MS_800),
    GAIN_CR: GAIN.put(GAIN_CR.reset, Gain.X16),
}
"""What the chip is set to. MODE differs from its reset value on purpose: back at 0x87 is one sign of a restart."""

LOOKS: Final = 12
"""How often the registers are looked at for one reading before it is given up."""

AGREEING: Final = 2
AGREEING_AT_MOST: Final = 4
"""Looks in a row that must agree: on a line that behaves, one more after each disagreement; on one that does not."""

TRUST_AFTER: Final = 20
"""Readings without a single failed question until a line is one that behaves."""

PULSES_BETWEEN_LOOKS: Final = 4
"""The energy counter makes at most twenty pulses a second, and a slow look with a retry takes 0.2 s."""

SETTLING_S: Final = 2 * REFRESH_S[RmsUpdate.MS_800]
"""Time until the averages have forgotten what was before the chip was set up: that refresh, and a whole one."""

SETTLING_REFRESHES: Final = 3
"""Refreshes until mains and load that begin together have left the averages, and one more."""

_NOISY: Final = "lower the SPI clock or shorten the wires; at heavy load use 9600 baud or more over UART"

logger = logging.getLogger(__name__)


_USUAL_TWIN: Final = "pziot-e01"


class Meter:
    """One meter on an open carrier. Not for several threads at once."""

    def __init__(
        self,
        carrier: Port | Bus,
        calibration: Calibration,
        *,
        address: int = 0,
        scale: ScaleOrigin = CALIBRATED,
    ) -> None:
        self.calibration = calibration
        self.scale = scale
        self.statistics = Statistics()
        self._carrier = carrier
        self._dialogue: Dialogue = open_dialogue(carrier, self.statistics, address=address)
        self._restarted = False
        self._clean_readings = 0

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
    def dialogue(self) -> Dialogue:
        """What the meter speaks through, for reads that ``read`` does not do; not while ``read`` runs."""
        return self._dialogue

    def close(self) -> None:
        """Give the carrier back."""
        self._carrier.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def connect(self) -> None:
        """Find the chip and set it up: unlock, write what differs, read it back, lock again.

        Raises NoAnswer or ChecksumError with the cause where asking around and listening finds one, TargetError if the
        chip keeps an old value, PortError.
        """
        try:
            self._dialogue.recover()
            found = self._set_up()
            self._restarted |= _is_reset(found)
        except (LinkError, TargetError) as error:  # bytes of others may look like a chip that takes no writes
            raise explain_silence(self._dialogue, error) from error
        logger.info("connected: %s, %s", self.url, _found_words(found))

    def read(self) -> Reading:
        """One reading, vouched for by two looks that agree.

        Raises ImplausibleReading if looks keep disagreeing or contradict physics, NoAnswer, ChecksumError, PortError.
        """
        first = self.statistics.questions
        snapshot = self._settled()
        if found := self._set_up():  # set otherwise since, by a restart or by somebody, perhaps in mid-look: look again
            self._restarted |= _is_reset(found)
            self.statistics.restarts += _is_reset(found)
            logger.info("looking again: %s, %s", self.url, _found_words(found))
            snapshot = self._settled()
        self.statistics.readings += 1
        reading = self._reading(snapshot, self.statistics.questions - first)
        if logger.isEnabledFor(logging.DEBUG):
            logger.debug("reading: %s", _scaled_words(snapshot, reading))
        self._restarted = False
        return reading

    def read_registers(self) -> dict[Register, int]:
        """Every register's count, in datasheet order. Raises as ``read``."""
        return {register: self._dialogue.ask(register) for register in REGISTERS}

    def _set_up(self) -> dict[Register, int]:
        """Bring the chip's settings in line; returns what was found where it was off."""
        found = {register: self._confirmed(register, count) for register, count in SETTINGS.items()}
        wrong = {register: count for register, count in SETTINGS.items() if found[register] != count}
        if not wrong:
            return {}
        self._write(USR_WRPROT, UNLOCK_KEY, reads=(UNLOCKED_READS, UNLOCK_KEY))
        for register, count in wrong.items():
            self._write(register, count, reads=(count,))
        self._write(USR_WRPROT, LOCK_KEY, reads=(LOCK_KEY,))
        self._carrier.clock.sleep(SETTLING_S)
        return {register: found[register] for register in wrong}

    def _confirmed(self, register: Register, expected: int) -> int:
        """A register's count; one that surprises is believed only if it keeps coming."""
        for _ in range(LOOKS):
            counts = {self._dialogue.ask(register)}
            if counts != {expected}:
                counts |= {self._dialogue.ask(register) for _ in range(AGREEING_AT_MOST - 1)}
            if len(counts) == 1:
                return counts.pop()
            self.statistics.disagreements += 1
        raise ImplausibleReading(f"{register.name} at {self.url}: it reads differently every time", hint=_NOISY)

    def _write(self, register: Register, count: int, *, reads: tuple[int, ...]) -> None:
        for _ in range(TRIES):
            self._dialogue.tell(register, count)
            if (got := self._dialogue.ask(register)) in reads:
                return
            self.statistics.retries += 1
        raise TargetError(
            f"{register.name} at {self.url}: wrote {count:#x}, reads back {got:#x}",
            hint="the chip hears reads but takes no writes: check its supply and the line to its data input",
        )

    def _agreed(self) -> Snapshot:
        """Look until enough looks in a row agree; on a line that has failed lately more must."""
        failures = self.statistics.failures
        needed = AGREEING if self._clean_readings >= TRUST_AFTER else AGREEING_AT_MOST
        run: list[Snapshot] = []
        for _ in range(LOOKS):
            now = replace(self._dialogue.look(), i_fast_rms=None)  # it changes every cycle
            if run and not _agree(run[-1], now):
                logger.info("two looks differ: %s; looking again", self.url)
                run = []
                self.statistics.disagreements += 1
                needed = min(needed + 1, AGREEING_AT_MOST)
            run.append(now)
            if self.statistics.failures > failures:
                self._clean_readings, needed = 0, AGREEING_AT_MOST
            if len(run) >= needed and (vouched := _vouched(run)):
                self._clean_readings += 1
                return vouched
        self._clean_readings = 0
        raise ImplausibleReading(f"{self.url}: {LOOKS} looks, and no {needed} in a row agreed", hint=_NOISY)

    def _settled(self) -> Snapshot:
        """A look that physics allows; one that may be a load switching on in mid-refresh is given time to settle."""
        for _ in range(SETTLING_REFRESHES):
            snapshot = self._agreed()
            if reasons := contradictions(snapshot):
                break
            if not (excess := excess_power(snapshot)):
                return snapshot
            reasons = (excess,)
            self._carrier.clock.sleep(REFRESH_S[RmsUpdate.MS_800])
        self.statistics.implausible += 1
        raise ImplausibleReading(
            f"{self.url}: the chip says so repeatedly, and it cannot be: {'; '.join(reasons)}",
            hint="check the wiring of the data line and lower the rate: damage that repeats comes from timing",
        )

    def _reading(self, snapshot: Snapshot, questions: int) -> Reading:
        calibration, clock = self.calibration, self._carrier.clock
        voltage, current = volts(snapshot.v_rms, calibration), amps(snapshot.i_rms, calibration)
        power = watts(snapshot.watt, calibration)
        return Reading(
            at=clock.now(),
            monotonic=clock.monotonic(),
            volts=voltage,
            amps=current,
            watts=power,
            hertz=hertz(snapshot.freq) if snapshot.sees_mains else None,
            power_factor=max(-1.0, min(1.0, power / (voltage * current)))
            if snapshot.i_rms and snapshot.v_rms
            else None,
            energy_count=snapshot.cf_cnt,
            watt_count=snapshot.watt,
            status=snapshot.status,
            mode=SETTINGS[MODE],
            restarted=self._restarted,
            questions=questions,
            simulated=self.simulated,
        )


def open_meter(
    url: str,
    *,
    calibration: Calibration | None = None,
    front_end: str | None = None,
    inverted: bool = False,
    address: int = 0,
    clock: Clock | None = None,
) -> Meter:
    """A meter by URL; ``connect`` it, then ``read``. Use it in a ``with`` block.

    Scale comes from ``calibration``, else from the parts of the named front end, else from the twin's own board, else
    from the usual one of the bus: a pziot-e01 on SPI, the reference circuit on UART. ``Meter.scale`` says from which.
    ``inverted`` flips the sign of power. Raises UrlError for an unknown front end, PortOpenError, MissingExtra.
    """
    claims = ScaleClaims(given=calibration, front_end=front_end, inverted=inverted)
    return open_scaled(url, claims, address=address, clock=clock)


def open_scaled(url: str, claims: ScaleClaims, *, address: int = 0, clock: Clock | None = None) -> Meter:
    """As ``open_meter``, where more than one place says how the meter scales."""
    require_known(claims)
    carrier = open_port(url, clock=clock)
    scale = held_scale(claims, usual_scale(url, spi=isinstance(carrier, Bus)), simulated=carrier.simulated)
    return Meter(carrier, scale.calibration, address=address, scale=scale.origin)


def require_known(claims: ScaleClaims) -> None:
    """Raises UrlError where a front end is named that nobody knows."""
    for name in claims.named:
        if name not in FRONT_ENDS:
            raise UrlError(f"unknown front end {name!r}; known: {', '.join(FRONT_ENDS)}")


def scale_doubt(meter: Meter, reading: Reading) -> str | None:
    """What speaks against the scale of a reading, None if nothing: a voltage that no mains has."""
    if reading.hertz is None or is_mains_voltage(reading.volts):
        return None
    fitting = [
        name
        for name in fitting_front_ends(round(reading.volts * meter.calibration.counts_per_volt))
        if name != meter.scale.front_end
    ]
    remedy = f"try front_end={fitting[0]}" if fitting else "no known front end fits: calibrate the meter"
    return f"{reading.volts:.1f} V is no mains voltage, so the divider is probably another; {remedy}"


def usual_scale(url: str, *, spi: bool) -> Scale:
    """The scale to take where nobody names one: the twin's own, or that of the usual board of the bus. Raises UrlError.

    A meter that is recorded scales as the one behind the recording.
    """
    parts = split(url.rpartition("of=")[2] if url.startswith("record:") else url)
    if parts.scheme == "twin" and (parts.host or _USUAL_TWIN) in FRONT_ENDS:
        return scale_of_parts(parts.host or _USUAL_TWIN, ScaleSource.TWIN)
    return scale_of_parts("pziot-e01" if spi else "reference", ScaleSource.ASSUMED)


def _is_reset(found: dict[Register, int]) -> bool:
    """Whether settings that were off stood as a reset leaves them; any other value is somebody's choice."""
    return MODE in found and all(count == register.reset for register, count in found.items())


def _found_words(found: dict[Register, int]) -> str:
    """Settings that were off, as they were found."""
    if not found:
        return "its settings are as they should be"
    return "settings written: " + ", ".join(f"{register.name} was {count:#x}" for register, count in found.items())


def _scaled_words(snapshot: Snapshot, reading: Reading) -> str:
    """Each count beside what it amounts to."""
    frequency = "no mains seen" if reading.hertz is None else f"{reading.hertz:.3f} Hz"
    return (
        f"V_RMS {snapshot.v_rms} = {reading.volts:.3f} V, I_RMS {snapshot.i_rms} = {reading.amps:.4f} A, "
        f"WATT {snapshot.watt} = {reading.watts:.2f} W, FREQ {snapshot.freq} = {frequency}, CF_CNT {snapshot.cf_cnt}, "
        f"STATUS {snapshot.status:#x}"
    )


def _agree(before: Snapshot, now: Snapshot) -> bool:
    """Whether two looks fell into one refresh: all equal, but for pulses of the energy counter."""
    pulses = counter_difference(before.cf_cnt, now.cf_cnt)
    return before.held == now.held and before.freq == now.freq and pulses <= PULSES_BETWEEN_LOOKS


def _vouched(run: list[Snapshot]) -> Snapshot | None:
    """The look whose energy counter is vouched for too: seen twice, or between an earlier and a later one."""
    if run[-1].cf_cnt == run[-2].cf_cnt:
        return run[-1]
    return run[-2] if len(run) > 2 else None
