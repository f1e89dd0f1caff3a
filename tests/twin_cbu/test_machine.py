"""The machine runs code from its flash: programs written as machine words, so that no compiler is needed."""

from __future__ import annotations

import struct

import pytest

from wattrail.image.code import TUYA_KEY, crypt, pack
from wattrail.twin.bootrom.flash import NorFlash
from wattrail.twin.cbu.device_clock import TickClock
from wattrail.twin.cbu.machine import Cbu

HELLO = (
    0xE3A00502,  # mov r0, #0x800000
    0xE2800C22,  # add r0, r0, #0x2200      UART2
    0xE3A01048,  # mov r1, #'H'
    0xE580100C,  # str r1, [r0, #0xC]
    0xE3A01069,  # mov r1, #'i'
    0xE580100C,  # str r1, [r0, #0xC]
    0xEAFFFFFE,  # b .
)


def flash_with(words: tuple[int, ...]) -> NorFlash:
    code = struct.pack(f"<{len(words)}I", *words)
    stored = pack(crypt(code.ljust(-(-len(code) // 32) * 32, b"\xff"), TUYA_KEY, 0))
    return NorFlash(0x1560EB, image=stored.ljust(1 << 21, b"\xff"))


def test_enciphered_code_runs_from_flash_and_speaks() -> None:
    machine = Cbu("N", flash_with(HELLO))
    heard = bytearray()
    machine.uart("uart2").listen(heard.extend)

    machine.run_for(0.001)

    assert bytes(heard) == b"Hi"
    assert machine.seconds == pytest.approx(0.001, rel=0.1)


def test_alarms_that_are_due_together_come_in_the_order_made() -> None:
    clock = TickClock()
    called: list[str] = []
    late, early = (clock.alarm(name, lambda name=name: called.append(name)) for name in ("late", "early"))
    early.set(10)
    late.set(10)
    clock.now = 9
    clock.run_due()
    assert called == []

    clock.now = 12
    clock.run_due()

    assert called == ["late", "early"]
    assert (late.due, clock.next_due > 1 << 60) == (None, True)
