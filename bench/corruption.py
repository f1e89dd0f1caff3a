"""How many wrong readings get through a line that damages frames.

A seeded channel stands between the meter and a chip whose registers are known. It damages a frame by flipped bits,
flipped bits that cancel in the checksum, swapped, replaced, lost, doubled and inserted bytes, and bursts. Every
reading that the meter confirms is compared with the registers. The peer is what public drivers do: believe any frame
whose checksum holds.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from types import TracebackType
from typing import Final, Self

from bench.table import Row, text
from wattrail.calibration import Calibration
from wattrail.chips import BL0942
from wattrail.chips.bl0942.registers import (
    BY_ADDRESS,
    CF_CNT,
    FREQ,
    I_FAST_RMS,
    I_RMS,
    STATUS,
    USR_WRPROT,
    V_RMS,
    WATT,
)  # fmt: skip
from wattrail.chips.bl0942.sample import SETTINGS
from wattrail.clock import Deadline, ManualClock
from wattrail.errors import LinkError, PortTimeout, TargetError
from wattrail.front_end import FRONT_ENDS
from wattrail.meter import Meter
from wattrail.units import Reading
from wattrail.wire import Register, inverted_sum

FRAMES: Final = 1_000_000
DAMAGED_SHARES: Final = (0.1, 0.4)
"""Of all frames; the rest arrive whole, so that the cost in refused readings shows too. A line that damages two frames
in five is a real one: somebody's board at 900 kHz was worse."""

_SEED: Final = 942

Counts = dict[Register, int]


def flip_bits(frame: bytearray, chance: random.Random) -> None:
    for _ in range(chance.randint(1, 4)):
        frame[chance.randrange(len(frame))] ^= 1 << chance.randrange(8)


def flip_and_cancel(frame: bytearray, chance: random.Random) -> None:
    """The same bit up in one byte and down in another: the sum does not change."""
    bit = 1 << chance.randrange(8)
    up = [i for i, byte in enumerate(frame) if not byte & bit]
    down = [i for i, byte in enumerate(frame) if byte & bit]
    if up and down:
        frame[chance.choice(up)] ^= bit
        frame[chance.choice(down)] ^= bit


def swap_bytes(frame: bytearray, chance: random.Random) -> None:
    i, j = chance.randrange(len(frame)), chance.randrange(len(frame))
    frame[i], frame[j] = frame[j], frame[i]


def replace_byte(frame: bytearray, chance: random.Random) -> None:
    frame[chance.randrange(len(frame))] = chance.randrange(256)


def burst(frame: bytearray, chance: random.Random) -> None:
    start = chance.randrange(len(frame))
    length = chance.randint(1, 6)
    frame[start : start + length] = chance.randbytes(len(frame[start : start + length]))


def lose_byte(frame: bytearray, chance: random.Random) -> None:
    del frame[chance.randrange(len(frame))]


def double_byte(frame: bytearray, chance: random.Random) -> None:
    i = chance.randrange(len(frame))
    frame.insert(i, frame[i])


def insert_junk(frame: bytearray, chance: random.Random) -> None:
    i = chance.randrange(len(frame) + 1)
    frame[i:i] = chance.randbytes(chance.randint(1, 4))


IN_PLACE: Final = (flip_bits, flip_and_cancel, swap_bytes, replace_byte, burst)
SHIFTING: Final = (lose_byte, double_byte, insert_junk)


class Chip:
    """Known registers behind a damaging channel; what it sends is built here, not by the driver."""

    url, simulated = "bench:", True

    def __init__(self, seed: int, damaged_share: float) -> None:
        self.clock = ManualClock()
        self.counts: Counts = {}
        self.damaged = self.passed_wrong = 0
        self._chance = random.Random(seed)
        self._damaged_share = damaged_share
        self._protect = 0
        self.next_truth()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def close(self) -> None: ...

    def next_truth(self) -> None:
        """Other mains, another load: what the registers hold until the next reading."""
        chance = self._chance
        v_rms, i_rms = chance.randint(3_400_000, 3_900_000), chance.randint(300, 2_500_000)
        watt = round(v_rms * i_rms * 1.5623477e-7 * chance.uniform(-1, 1))
        count = (self.counts.get(CF_CNT, chance.randrange(1 << 24)) + chance.randint(0, 12)) % (1 << 24)
        self.counts = {
            **SETTINGS, I_RMS: i_rms, V_RMS: v_rms, WATT: watt, CF_CNT: count, I_FAST_RMS: i_rms // 3,
            FREQ: 8 * chance.randint(2490, 2510) + 6, STATUS: chance.choice((0x000, 0x020, 0x100)),
        }  # fmt: skip

    def answer(self, head: bytes, body: bytes, ways: tuple[Callable[[bytearray, random.Random], None], ...]) -> bytes:
        """A reply with its checksum, perhaps damaged on its way."""
        reply = bytearray(body + bytes((inverted_sum(head + body),)))
        if self._chance.random() >= self._damaged_share:
            return bytes(reply)
        whole = bytes(reply)
        self._chance.choice(ways)(reply, self._chance)
        if reply != whole:
            self.damaged += 1
            frame = bytes(reply[: len(whole)])
            self.passed_wrong += len(frame) == len(whole) and inverted_sum(head + frame[:-1]) == frame[-1]
        return bytes(reply)

    def word(self, register: Register) -> int:
        return register.encode(self.counts.get(register, register.reset))

    def write(self, frame: bytes) -> None:
        register = BY_ADDRESS[frame[1]]
        if register is USR_WRPROT:
            self._protect = 1 if 0x55 in frame[2:5] else 0
        self.counts[USR_WRPROT] = self._protect


class SpiChannel(Chip):
    """The chip on SPI."""

    def transfer(self, data: bytes, deadline: Deadline) -> bytes:
        if data[0] != 0x58:
            if data[0] == 0xA8:
                super().write(data)
            return b"\xff" * len(data)
        register = BY_ADDRESS[data[1]]
        return b"\xff\xff" + self.answer(data[:2], self.word(register).to_bytes(3, "big"), IN_PLACE)


class UartChannel(Chip):
    """The chip on UART."""

    def __init__(self, seed: int, damaged_share: float) -> None:
        self._waiting = b""
        super().__init__(seed, damaged_share)

    def write(self, frame: bytes) -> None:
        if frame[0] != 0x58:
            super().write(frame)
        elif frame[1] == 0xAA:
            self._waiting = self.answer(b"\x58", self._packet(), IN_PLACE + SHIFTING)
        else:
            body = self.word(BY_ADDRESS[frame[1]]).to_bytes(3, "little")
            self._waiting = self.answer(frame, body, IN_PLACE + SHIFTING)

    def read(self, deadline: Deadline) -> bytes:
        data, self._waiting = self._waiting, b""
        if not data:
            raise PortTimeout("nothing more")
        return data

    def drain(self) -> bytes:
        data, self._waiting = self._waiting, b""
        return data

    def set_baud(self, baud: int) -> None: ...

    def set_lines(self, *, dtr: bool | None = None, rts: bool | None = None) -> None: ...

    def _packet(self) -> bytes:
        words = b"".join(self.word(r).to_bytes(3, "little") for r in (I_RMS, V_RMS, I_FAST_RMS, WATT, CF_CNT))
        return b"\x55" + words + self.word(FREQ).to_bytes(3, "little") + self.word(STATUS).to_bytes(3, "little")


def right(reading: Reading, counts: Counts, calibration: Calibration) -> bool:
    """Whether a reading is exactly what the registers hold."""
    return (
        reading.energy_count == counts[CF_CNT]
        and reading.watt_count == counts[WATT]
        and reading.volts == counts[V_RMS] / calibration.counts_per_volt
        and reading.amps == counts[I_RMS] / calibration.counts_per_amp
        and reading.hertz == 1_000_000 / counts[FREQ]
    )


def campaign(bus: str, damaged_share: float, frames: int, seed: int) -> Counter[str]:
    """Read through the channel until that many damaged frames have been delivered."""
    channel = SpiChannel if bus == "SPI" else UartChannel
    chip = channel(seed, damaged_share)
    calibration = BL0942.scaling.calibration_of(FRONT_ENDS["reference"])
    meter, found = Meter(chip, calibration), Counter[str]()
    while chip.damaged < frames:
        chip.next_truth()
        try:
            reading = meter.read()
        except (LinkError, TargetError):
            found["refused"] += 1
        else:
            found["right" if right(reading, chip.counts, calibration) else "wrong"] += 1
    found["damaged"], found["peer wrong"] = chip.damaged, chip.passed_wrong
    return found


def measure(frames: int = FRAMES) -> Mapping[tuple[str, float], Counter[str]]:
    """The campaign on both buses at both shares, the frames divided among them, on two cores."""
    rows = [(bus, share) for share in DAMAGED_SHARES for bus in ("SPI", "UART")]
    with ProcessPoolExecutor(2) as pool:
        jobs = [pool.submit(campaign, *row, frames // len(rows), _SEED + i) for i, row in enumerate(rows)]
        return {row: job.result() for row, job in zip(rows, jobs, strict=True)}


def rows(frames: int = FRAMES) -> list[Row]:
    found = measure(frames)
    return [
        Row(
            f"wrong readings, {bus}, {counted['damaged']:,} damaged frames ({share:.0%} of all)",
            f"{counted['wrong']} of {counted['right'] + counted['wrong']:,}, {counted['refused']:,} refused",
            f"{counted['peer wrong']:,} wrong frames pass the checksum",
            f"{counted['wrong'] / counted['peer wrong']:.6f}",
            "none",
            counted["wrong"] == 0,
        )
        for (bus, share), counted in found.items()
    ]


if __name__ == "__main__":
    print(text(rows()))
