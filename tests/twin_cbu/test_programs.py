"""Small programs of our own exercise each peripheral, as a stranger's firmware would: by its registers alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest

from tests.twin_cbu.conftest import Program
from wattrail.image.code import crypt, strip, to_physical
from wattrail.twin.cbu.pwm import GroupedPwm

Load = Callable[..., Program]


def numbers(lines: list[str]) -> dict[str, int]:
    return {name: int(value, 16) for name, _, value in (line.rpartition(" ") for line in lines) if name}


@pytest.mark.parametrize("thumb", [False, True])
@pytest.mark.parametrize("chip", ["N", "T", "M"])
def test_hundred_ticks_take_two_hundred_milliseconds(program: Load, chip: str, thumb: bool) -> None:
    found = numbers(program("timers", chip=chip, thumb=thumb).run(0.3))

    assert found["ticks"] == 100
    assert found["microseconds"] == pytest.approx(200_000, abs=100)


def test_what_uart1_receives_comes_back_after_the_line_is_idle(program: Load) -> None:
    echo = program("echo")
    back = bytearray()
    echo.machine.uart("uart1").listen(back.extend)
    assert echo.run(0.01) == ["ready"]

    echo.machine.uart("uart1").receive(b"hello " * 40)
    echo.machine.run_for(0.005)
    early = bytes(back)
    echo.machine.run_for(0.1)

    assert echo.machine.uart("uart1").baud == pytest.approx(115_200, rel=0.01)
    assert bytes(back) == b"HELLO " * 40
    assert len(early) < 60, "240 bytes take 21 ms at this rate"


def test_flash_is_erased_by_sectors_and_only_loses_bits_after(program: Load) -> None:
    one = program("flash")
    one.flash.program(0x1D2020, b"\x12\x34\x56\x78")
    one.flash.program(0x1D3000, b"kept")

    found = numbers(one.run(0.05))

    assert found["id"] == 0xEB6015
    assert found["before"] == 0x78563412
    assert found["erased"] == 0xFFFFFFFF
    assert found["once"] == 0xFFFF0F0F
    assert found["twice"] == 0xF0F00F0F
    assert found["next page"] == 0xFFFFFFFF
    assert found["next sector"] == int.from_bytes(b"kept", "little")
    assert one.flash.dirty == {0x1D2, 0x1D3}


def test_protected_flash_keeps_its_lower_half_and_takes_the_upper(program: Load) -> None:
    one = program("flash")
    one.flash.program(0x1D2020, b"\0\0\0\0")
    one.flash.sr = 0x34  # as Tuya's firmware leaves it: the lower half is protected
    assert numbers(one.run(0.05))["erased"] == 0xFFFFFFFF

    other = program("flash")
    other.flash.program(0x1D2020, b"\0\0\0\0")
    other.flash.sr = 0x7C
    assert numbers(other.run(0.05))["erased"] == 0


def test_an_unfed_watchdog_resets_and_memory_survives(program: Load) -> None:
    lives = program("watchdog")

    lines = lives.run(0.5)

    assert [line for line in lines if line.startswith("life")] == ["life 00000001", "life 00000002", "life 00000003"]
    assert numbers(lines)["always on"] == 0x200
    assert [reason for _, reason in lives.machine.resets] == ["watchdog", "watchdog"]
    assert lines[-1] == "fed"


def test_reset_by_cen_loses_memory(program: Load) -> None:
    lives = program("watchdog")
    lives.run(0.001)

    lives.machine.reset()

    assert lives.run(0.001)[-2:] == ["life 00000001", "always on 00000000"]


def test_edges_fast_interrupts_and_exceptions_reach_their_handlers(program: Load) -> None:
    one = program("interrupts")
    pins = one.machine.pins

    lines = one.run(0.01)
    assert lines == ["idle 0000003d", "software", "undefined", "ready"]
    assert list(one.machine.undefined.values()) == [1]

    changes: list[tuple[int, bool]] = []
    pins.listen(lambda pin, level: changes.append((pin, level)))
    for level in (False, None, False, None):
        pins.drive(20, level)
        one.machine.run_for(0.001)
    one.machine.interrupts.set(18, True)

    assert one.run(0.01)[4:] == ["pins 00100000", "pins 00100000", "fiq", "p22 00000002"]
    assert changes == [(20, False), (20, True), (20, False), (20, True), (22, True)]


def test_dma_copies_the_adc_samples_and_the_efuse_answers(program: Load) -> None:
    lines = program("dma").run(0.05)

    assert lines[:4] == ["copied 00000001", "interrupts 00000001", "sample 0000014a", "empty 00000001"]
    assert lines[4:] == ["efuse 00000193", "efuse 000001b0", "efuse 0000010f", "efuse 00000151"]


def test_dma_between_memory_and_nowhere_is_a_bad_access(program: Load) -> None:
    machine = program("dma").machine
    for target, origin in ((0x500000, 0x400000), (0x400000, 0x500000)):
        machine.dma.write(0x04, target)
        machine.dma.write(0x08, origin)
        machine.dma.write(0x00, 15 << 16 | 3 << 8 | 1)

    assert machine.bad_accesses == {("write", 0x500000): 1, ("read", 0x500000): 1}
    assert not machine.dma.read(0x00) & 1, "the channel has finished all the same"


def test_a_dma_of_six_bytes_by_words_leaves_none(program: Load) -> None:
    dma = program("dma").machine.dma
    dma.write(0x04, 0x420100)
    dma.write(0x08, 0x420000)
    dma.write(0x00, 5 << 16 | 1 << 10 | 3 << 8 | 2 << 6 | 2 << 4 | 1)

    assert dma.read(0xC0) & 0x1FFFF == 0


def test_stores_to_the_code_window_reach_flash_when_allowed(program: Load) -> None:
    one = program("code_window")

    assert one.run(0.1) == ["before ffffffff", "refused ffffffff", "stored 77777777"]

    packed = one.flash.read(to_physical(0x100000), 34)
    plain = crypt(strip(packed), one.machine.code.key, 0x100000)
    assert plain == b"".join((0x11111111 * n).to_bytes(4, "little") for n in range(8))


def test_code_that_a_program_stores_into_flash_runs_there(program: Load) -> None:
    one = program("rewrite")
    changes: list[tuple[int, int]] = []
    one.machine.on_flash.append(lambda address, length: changes.append((address, length)))

    lines = one.run(0.1)

    assert lines == [f"first {1023:08x}", f"second {2 * 1023:08x}"]
    assert Counter(length for _, length in changes) == {34: 2 * 128, 0x1000: 4}, "each block once, with its CRC"
    assert one.machine.bad_accesses == {}
    stored = one.machine.code.code(0x100000, 4096)
    assert stored == 1023 * (0xE2800002).to_bytes(4, "little") + (0xE12FFF1E).to_bytes(4, "little")


def test_pwm_registers_become_hertz_and_duty() -> None:
    pwm = GroupedPwm()
    pwm.write(0x04, 6_500)
    pwm.write(0x10, 26_000)
    assert pwm.output(0) is None

    pwm.write(0x00, 1 | 1 << 3 | 1 << 6)

    out = pwm.output(0)
    assert out is not None
    assert (out.hertz, out.duty) == pytest.approx((1_000, 0.25))
