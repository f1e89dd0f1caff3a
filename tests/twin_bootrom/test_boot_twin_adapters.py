"""Adapters with faults of their own between a good host and a good chip."""

from __future__ import annotations

import pytest

from tests.bootrom.golden import SECTOR
from tests.twin_bootrom.conftest import Bench
from wattrail.bootrom import commands as c
from wattrail.bootrom.events import Answered, NoReply, TruncatedReply
from wattrail.clock import Deadline
from wattrail.errors import ConfigError, PortError
from wattrail.twin.bootrom import ADAPTERS, Adapter, BootPhase, ByteLoss

LINK = bytes.fromhex("01 E0 FC 01 00")
LINKED = "04 0E 05 01 E0 FC 01 00"


def bench_with(adapter: str | Adapter, **options: object) -> Bench:
    bench = Bench(linked=False, sr=0)
    bench.port = bench.twin.port(adapter=adapter, **options)  # type: ignore[arg-type]
    return bench


@pytest.mark.parametrize(
    ("name", "asked", "made"),
    [
        ("ideal", 921600, 921600),
        ("ch340", 921600, 923077),
        ("ch340", 2_000_000, 2_000_000),
        ("ch340", 3_000_000, None),
        ("ft232", 921600, 923077),
        ("ft232", 1_500_000, 1_500_000),
        ("ft232", 3_000_000, 3_000_000),
        ("cp2102", 460800, 460800),
        ("cp2102", 921600, 576000),
        ("cp2102", 2_000_000, 576000),
        ("cp2102", 110, 300),
    ],
)
def test_an_adapter_makes_the_rate_it_can(name: str, asked: int, made: int | None) -> None:
    assert ADAPTERS[name].real_baud(asked) == made


@pytest.mark.parametrize("name", list(ADAPTERS))
def test_every_adapter_works_at_the_rate_after_a_reset(name: str) -> None:
    bench = bench_with(name)
    bench.connect()
    assert bench.do(c.WRITE_4K, SECTOR, address=0x11000)
    assert bench.do(c.READ_4K, address=0x11000).data == SECTOR


@pytest.mark.parametrize("name", ["ch340", "ft232"])
@pytest.mark.parametrize("baud", [460800, 921600, 1_500_000, 2_000_000])
def test_rates_that_are_a_little_off_are_heard(name: str, baud: int) -> None:
    bench = bench_with(name)
    bench.connect()
    bench.set_baud(baud)
    assert bench.port.baud == baud
    assert bench.do(c.READ_4K, address=0x11000).data == b"\xff" * 4096


def test_a_rate_an_adapter_refuses_is_an_error_and_the_old_one_stays() -> None:
    bench = bench_with("ch340")
    with pytest.raises(PortError, match=r"\(ch340\) makes no 3000000 baud") as error:
        bench.port.set_baud(3_000_000)
    assert error.value.hint == "its highest rate is 2000000"
    assert bench.port.baud == 115200
    bench.connect()


def test_an_adapter_off_its_rate_hears_garbage_and_sends_garbage() -> None:
    bench = bench_with("cp2102")
    bench.connect()
    assert not isinstance(bench.set_baud(921600), Answered)
    assert bench.port.baud == 921600, "it does not say so"
    assert LINKED not in bench.say(LINK)
    bench.port.set_baud(115200)
    bench.connect()
    assert isinstance(bench.set_baud(460800), Answered)


def test_bytes_go_missing_in_long_fast_replies_only() -> None:
    bench = bench_with("pl2303")
    bench.connect()
    assert {len(bench.do(c.READ_4K, address=0).data) for _ in range(40)} == {4096}
    bench.set_baud(921600)
    events = [bench.ask(c.READ_4K, address=0, seconds=0.2) for _ in range(60)]
    short = [event for event in events if isinstance(event, TruncatedReply)]
    assert 5 < len(short) < 30, "a quarter or so"
    assert {event.want - len(event.data) for event in short} <= {1, 2, 3}
    for _ in range(60):
        bench.do(c.FLASH_ID)


def test_short_replies_never_add_up_to_a_long_one() -> None:
    bench = bench_with(Adapter("lossy", loss=ByteLoss(0.5, after=20)))
    bench.connect()
    for _ in range(20):
        bench.do(c.FLASH_ID)


def test_the_same_seed_loses_the_same_bytes() -> None:
    def lengths(seed: int) -> list[int]:
        bench = Bench(linked=False, seed=seed)
        bench.port = bench.twin.port(adapter=Adapter("lossy", loss=ByteLoss(1e-3, after=100)))
        bench.connect()
        bench.port.write(bench.link.request(c.READ_4K, address=0) * 3)
        return [len(bench.listen(1.0)) for _ in range(3)]

    assert lengths(1) == lengths(1) != lengths(2)


def test_an_adapter_may_lose_what_the_host_says() -> None:
    bench = bench_with(Adapter("deaf", loss=ByteLoss(0.5, after=8, received=False)))
    bench.connect()
    assert isinstance(bench.ask(c.WRITE_4K, SECTOR, address=0x11000, seconds=1), NoReply)


def test_an_inverted_line_holds_the_chip_when_it_should_let_it_go() -> None:
    bench = bench_with("rts inverted", reset_line="rts")
    assert bench.twin.phase is BootPhase.OFF, "from the moment it is opened"
    bench.port.set_lines(rts=True)
    bench.clock.advance(0.01)
    assert bench.say(LINK) == LINKED
    bench.port.set_lines(rts=False)
    assert bench.twin.phase is BootPhase.OFF
    assert bench_with("rts inverted", reset_line="dtr").twin.phase is BootPhase.APP, "its other line is as it should be"
    assert bench_with("rts inverted").twin.phase is BootPhase.APP, "and without a wire to CEN nothing happens"


def test_lines_asserted_on_opening_hold_a_wired_chip_until_released() -> None:
    bench = bench_with("cp2102", reset_line="dtr")
    assert bench.twin.phase is BootPhase.OFF
    bench.port.set_lines(dtr=False, rts=False)
    bench.clock.advance(0.01)
    assert bench.say(LINK) == LINKED


def test_bytes_are_handed_over_in_packets_and_drained_in_one_go() -> None:
    bench = bench_with("ch340")
    bench.connect()
    bench.port.write(LINK * 10)
    bench.clock.advance(0.1)
    deadline = Deadline.after(1, bench.clock)
    assert [len(bench.port.read(deadline)) for _ in range(3)] == [32, 32, 16]
    bench.port.write(LINK * 10)
    bench.clock.advance(0.1)
    assert len(bench.port.read(deadline)) == 32
    assert len(bench.port.drain()) == 48


def test_an_adapter_nobody_knows_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(ConfigError, match="no adapter 'max232'") as error:
        bench_with("max232")
    assert "pl2303" in str(error.value.hint)
