"""Every decoder of bytes from outside, under anything: no crash, no cap exceeded, no flash touched unasked."""

from __future__ import annotations

import random
import tracemalloc
from collections.abc import Callable

import pytest

from tests.fuzz.inputs import draw, entry, property_of
from tests.fuzz.seeds import otas
from tests.fuzz.targets import TARGETS
from wattrail.errors import ImageError
from wattrail.image import MAX_FILE_BYTES, open_ota, recognise
from wattrail.twin.bootrom import NorFlash

EXAMPLES = 400
every_target = pytest.mark.parametrize("name", TARGETS)


@every_target
def test_a_decoder_keeps_its_promise_for_the_inputs_it_begins_with(name: str) -> None:
    target = TARGETS[name]
    for seed in target.seeds():
        target.function(seed[: target.most_bytes])
    target.function(b"")


@every_target
def test_a_decoder_keeps_its_promise_for_any_bytes(name: str) -> None:
    target = TARGETS[name]
    property_of(target, examples=max(20, EXAMPLES // target.weight))()


@every_target
def test_a_decoder_can_be_driven_by_a_coverage_guided_fuzzer(name: str) -> None:
    drive, chance = entry(name), random.Random(1)
    taken = [drive(chance.randbytes(1 << 12)) for _ in range(5)]
    assert any(data is not None for data in taken)


@every_target
def test_what_is_drawn_keeps_to_its_size_and_comes_again_with_its_seed(name: str) -> None:
    target = TARGETS[name]
    one, other = random.Random(3), random.Random(3)
    for _ in range(10):
        data = draw(target, target.seeds(), one)
        assert data == draw(target, target.seeds(), other)
        assert len(data) <= target.most_bytes


def test_more_bytes_than_any_image_has_are_refused() -> None:
    with pytest.raises(ImageError, match="more than any image of this family has"):
        recognise(bytes(MAX_FILE_BYTES + 1))


def test_a_package_larger_than_it_says_takes_no_memory_for_the_rest() -> None:
    *_, bomb = otas()
    tracemalloc.start()
    try:
        with pytest.raises(ImageError, match="raw size"):
            open_ota(bomb)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


# ---- the promises themselves: a broken twin is found out

LINKED = b"\x40" + bytes.fromhex("01 E0 FC FF F4 06 00 0F 20 00 10 00 00")


def _elsewhere(erase: Callable[..., None]) -> Callable[..., None]:
    return lambda flash, address, span: erase(flash, address + span, span)


def test_an_erase_that_hits_the_wrong_sector_is_detected(monkeypatch: pytest.MonkeyPatch) -> None:
    TARGETS["chip"].function(LINKED)
    monkeypatch.setattr(NorFlash, "erase", _elsewhere(NorFlash.erase))
    with pytest.raises(AssertionError, match="flash changed at 0x2000, where nobody asked for it"):
        TARGETS["chip"].function(LINKED)


def test_programming_that_sets_bits_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def program(flash: NorFlash, address: int, data: bytes) -> None:
        flash.data[address : address + len(data)] = data

    write = b"\x40" + bytes.fromhex("01 E0 FC FF F4 06 00 06 00 10 00 00 FF")
    TARGETS["chip"].function(write)
    monkeypatch.setattr(NorFlash, "program", program)
    with pytest.raises(AssertionError, match="programming set bits at 0x1000"):
        TARGETS["chip"].function(write)
