"""The BL0940: computed frames and captures byte for byte, a counter that goes both ways, two variants of heads."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.twin.conftest import Plug
from wattrail.chips.bl0940.constants import CF_WATT_SECONDS, CREEP_STEP
from wattrail.chips.bl0940.registers import (
    BY_ADDRESS,
    CF_CNT,
    CORNER,
    I_FAST_RMS,
    I_FAST_RMS_CTRL,
    I_RMS,
    I_WAVE,
    MODE,
    REGISTERS,
    TPS1,
    TPS2,
    TPS_CTRL,
    USR_WRPROT,
    V_RMS,
    V_WAVE,
    WA_CREEP,
    WATT,
    WATTOS,
)
from wattrail.clock import Deadline, ManualClock
from wattrail.errors import UrlError
from wattrail.transport import open_port
from wattrail.twin import open_twin
from wattrail.twin.chips import CHIP_MODELS
from wattrail.twin.chips.bl0940.array import CF_B, I_B, I_FAST_B, WATT_B
from wattrail.twin.front_end import Deviation
from wattrail.twin.ports import TwinPort

Make = Callable[..., Plug]

PER_VOLT, PER_AMP = 79931e3 * 510 / 1950510 / 1.218, 324004 / 1.218
"""Counts on the reference circuit: 1 milliohm, 5 x 390 kOhm and 510 Ohm."""
FAST_PER_MV = 0.72 / 0.9003163 * 324004 / 1.218

UNLOCK = {"58": "A8 1A 55 00 00 E8", "50": "A0 1A 55 00 00 F0"}
LOCK = {"58": "A8 1A 00 00 00 3D", "50": "A0 1A 00 00 00 45"}
RESET = {"58": "A8 19 5A 5A 5A 30", "50": "A0 19 5A 5A 5A 38"}
SLOW = {"58": "A8 18 00 01 00 3E", "50": "A0 18 00 01 00 46"}
CREEP = {"58": "A8 17 1D 00 00 23", "50": "A0 17 1D 00 00 2B"}
BOTH = pytest.mark.parametrize("heads", ["58", "50"])

PACKETS = {
    "A": "55 29 EC 02 1D 0F 04 00 00 00 E1 99 39 00 00 00 EA 64 02 00 00 00 B0 04 00 00 00 00 B0 01 00 FE 03 00 A2 AA",
    "B": "55 29 EC 02 1D 0F 04 00 00 00 E1 99 39 00 00 00 16 9B FD 00 00 00 FB FF FF 00 00 00 B0 01 00 FE 03 00 FF 07",
    "C": "55 BC 02 00 00 00 00 00 00 00 25 38 3C 00 00 00 00 00 00 00 00 00 B0 04 00 00 00 00 B0 01 00 FE 03 00 95 9D",
}
"""The application note's example, the same exporting, no load at 230 V; the last bytes are the sums at 58 and at 50."""

CAPTURES = [
    "55 F2 03 00 00 00 00 7E 02 00 D4 B0 72 AC 01 00 00 00 00 02 01 00 00 00 00 00 00 00 BA 01 00 FE 03 00 83",
    "55 88 02 00 49 00 00 FE 02 00 AF EF 71 D2 01 00 EB FF FF 49 01 00 00 00 00 02 00 00 CF 01 00 FE 03 00 9F",
    "55 B9 33 00 DE 45 00 94 02 00 CF E4 70 63 02 00 6C 4C 00 13 01 00 09 00 00 00 00 00 E4 01 00 FE 03 00 72",
    "55 B8 55 00 2F 73 00 D2 02 00 00 C6 74 F9 01 00 97 89 00 37 01 00 AB 00 00 2D 00 00 02 02 00 FE 03 00 6E",
    "55 C1 02 00 00 00 00 00 00 00 15 02 00 DA 01 00 00 00 00 00 00 00 00 00 00 00 00 00 B2 01 00 FE 03 00 F1",
]
"""BW-SHP10 plugs, read head 0x50 (Tasmota #8175): idle, idle with a residue, 14 W, 25 W, no mains."""
SECOND_CHANNEL = {I_B: 7, I_FAST_B: 13, WATT_B: 19, CF_B: 25}


@pytest.fixture
def make_shp10() -> Make:
    return lambda **options: Plug("bw-shp10", **options)


def reference(**options: object) -> Plug:
    return Plug("lspa9", chip="bl0940", **options)


def settled(plug: Plug) -> Plug:
    plug.clock.advance(1.3)
    return plug


def number(packet: bytes, start: int) -> int:
    return int.from_bytes(packet[start : start + 3], "little")


# ---- frames


@BOTH
def test_computed_writes_reach_their_register(heads: str) -> None:
    plug = reference(heads=heads)
    assert plug.ask(UNLOCK[heads]) == "", "a write is not acknowledged"
    plug.send(SLOW[heads] + CREEP[heads])
    assert (plug.twin.chip.peek(MODE), plug.twin.chip.peek(WA_CREEP)) == (0x0100, 0x1D)
    plug.send(LOCK[heads] + RESET[heads])
    assert plug.twin.chip.peek(MODE) == 0x0100, "locked"
    plug.send(UNLOCK[heads] + RESET[heads])
    assert (plug.twin.chip.peek(MODE), plug.twin.chip.peek(WA_CREEP)) == (0, 0x0B)


@pytest.mark.parametrize(("heads", "mode", "watt"), [("58", "8E", "F1"), ("50", "96", "F9")])
def test_computed_replies_to_register_reads(heads: str, mode: str, watt: str) -> None:
    plug = reference(heads=heads)
    plug.twin.chip.poke(MODE, 0x0100)
    plug.twin.chip.stick(WATT, -156906)
    assert plug.ask(f"{heads} 18") == f"00 01 00 {mode}"
    assert plug.ask(f"{heads} 08") == f"16 9B FD {watt}"


def test_captured_replies_to_register_reads(make_shp10: Make) -> None:
    plug = make_shp10()
    plug.twin.chip.stick(CORNER, 935)
    assert plug.ask("50 0C") == "A7 03 00 F9"
    assert plug.ask("50 18") == "00 00 00 97"


@BOTH
@pytest.mark.parametrize(("name", "amps", "pf"), [("A", 1.0, 1.0), ("B", 1.0, -1.0), ("C", 0.0, 1.0)])
def test_computed_packets_come_out_byte_for_byte(heads: str, name: str, amps: float, pf: float) -> None:
    expected = bytes.fromhex(PACKETS[name])
    off = Deviation(dc_mv=0.0 if amps else number(expected, 1) / FAST_PER_MV)
    volts = number(expected, 10) / PER_VOLT
    plug = settled(reference(heads=heads, volts=volts, amps=amps, pf=pf, celsius=24.8, deviation=off))
    chip, watts = plug.twin.chip, WATT.decode(number(expected, 16))
    assert chip.peek(WATT) == pytest.approx(watts, rel=2e-4), "the note's constants do not multiply up exactly"
    for register, count in ((WATT, watts), (CF_CNT, number(expected, 22)), *((r, 0) for r in SECOND_CHANNEL)):
        chip.stick(register, count)
    last = expected[34 + (heads == "50")]
    assert plug.ask(f"{heads} AA") == (expected[:34] + bytes((last,))).hex(" ").upper()


@pytest.mark.parametrize("text", CAPTURES)
def test_pins_as_on_a_captured_plug_give_its_packet(make_shp10: Make, text: str) -> None:
    captured = bytes.fromhex(text)
    volts, amps = number(captured, 10) * 1.218 / 79931 * 1989e-3, number(captured, 4) / PER_AMP
    watts = WATT.decode(number(captured, 16))
    apparent = number(captured, 4) * number(captured, 10) * 4046 / (324004 * 79931)
    plug = make_shp10(
        volts=volts,
        amps=amps,
        pf=watts / apparent if apparent else 1.0,
        celsius=(number(captured, 28) / 2 - 32) * 170 / 448 - 45,
    )
    plug.twin.chip.poke(WA_CREEP, 0)  # the residue of capture 2 is below the threshold
    for register, start in SECOND_CHANNEL.items():
        plug.twin.chip.stick(register, number(captured, start))
    settled(plug).twin.chip.stick(CF_CNT, number(captured, 22))
    if number(captured, 4) > 100:
        assert plug.twin.chip.peek(I_FAST_RMS) == pytest.approx(number(captured, 1), rel=0.04)
    plug.twin.chip.stick(I_FAST_RMS, number(captured, 1))
    assert plug.ask("50 AA") == text


def test_an_idle_plug_shows_a_fast_current_as_captured_ones_do() -> None:
    for seed in range(20):
        twin = open_twin("bw-shp10", clock=ManualClock(), seed=seed, volts=230.0, amps=0.0, powered_for=10)
        assert 640 <= twin.chip.peek(I_FAST_RMS) <= 1020


def test_reserved_cells_of_the_packet_are_not_zero(make_shp10: Make) -> None:
    plug, dead = make_shp10(seed=3), make_shp10(seed=3, volts=0.0, amps=0.0)
    for meter in (plug, dead):
        meter.clock.advance(8 * 3600)
    with_mains, without = bytes.fromhex(plug.ask("50 AA")), bytes.fromhex(dead.ask("50 AA"))
    assert 500 < number(with_mains, 7) < 900
    assert 250 < number(with_mains, 13) < 750
    assert 150 < number(with_mains, 19) < 450
    assert number(with_mains, 25) == int(8 * 3600 * 290 / CF_WATT_SECONDS)
    assert (number(without, 7), number(without, 19)) == (0, 0)
    assert number(without, 13) > 250


# ---- the line


@BOTH
def test_the_other_variant_of_heads_is_met_with_silence(heads: str) -> None:
    plug, other = reference(heads=heads), {"58": "50", "50": "58"}[heads]
    plug.send(UNLOCK[other])
    assert plug.ask(f"{other} AA") == ""
    assert plug.ask(f"{other} 1A") == ""
    assert plug.twin.chip.peek(USR_WRPROT) == 0
    assert len(bytes.fromhex(plug.ask(f"{heads} AA"))) == 35


def test_the_board_knows_which_variant_its_chip_is(make_shp10: Make) -> None:
    assert make_shp10().ask("58 AA") == ""
    assert len(bytes.fromhex(make_shp10().ask("50 AA"))) == 35
    assert len(bytes.fromhex(make_shp10(heads="58").ask("58 AA"))) == 35


def test_a_reply_begins_after_72_us_and_a_packet_takes_77_ms(make_shp10: Make) -> None:
    plug = make_shp10()
    started = plug.clock.monotonic()
    plug.send("50 AA")
    plug.port.read(Deadline.after(1, plug.clock))
    first = plug.clock.monotonic() - started
    assert first == pytest.approx(20 / 4800 + 72e-6 + 10 / 4800 + 116e-6, abs=1e-5)
    plug.clock.advance(0.077 - 10 / 4800 - 116e-6 - 1e-3)
    assert len(plug.port.drain()) == 33, "one byte is on its way"
    plug.clock.advance(1e-3)
    assert len(plug.port.drain()) == 1


def test_a_gap_of_18_5_ms_ends_a_frame_and_a_slow_host_does_not(make_shp10: Make) -> None:
    plug = make_shp10()
    for byte in UNLOCK["50"].split():
        plug.send(byte)
        plug.clock.advance(10 / 4800 + 0.018)
    assert plug.twin.chip.peek(USR_WRPROT) == 0x55
    plug.send("A0 1A")
    plug.clock.advance(20 / 4800 + 0.019)
    plug.send("00 00 00 45")
    assert plug.twin.chip.peek(USR_WRPROT) == 0x55


def test_a_low_line_of_7_ms_resets_the_receiver_and_no_register(make_shp10: Make) -> None:
    plug = make_shp10()
    plug.send(UNLOCK["50"] + "A0 18")
    plug.twin.uart.line_break(0.0066, plug.twin.now())
    assert plug.ask("50 1A") == "", "too short: what came was taken for the rest of the write"
    plug.clock.advance(0.02)
    plug.send("A0 18")
    plug.twin.uart.line_break(0.0067, plug.twin.now())
    assert plug.ask("50 1A") == "55 00 00 40"


def test_writes_with_the_other_variants_checksums_are_dropped() -> None:
    plug = reference()
    frames = ("A8 19 5A 5A 5A 38", "A8 1A 55 00 00 F0", "A8 18 00 10 00 37", "A8 1B FF 47 00 FE", "A8 10 1C 18 00 1B")
    for frame in frames:
        plug.send(frame)
    chip = plug.twin.chip
    assert (chip.peek(USR_WRPROT), chip.peek(MODE), chip.peek(TPS_CTRL)) == (0, 0, 0x07FF)
    assert len(bytes.fromhex(plug.ask("58 AA"))) == 35


def test_tasmota_resets_before_it_unlocks_and_sets_up_the_alarm(make_shp10: Make) -> None:
    plug, temperatures = make_shp10(), set()
    frames = ("A0 19 5A 5A 5A 38", "A0 1A 55 00 00 F0", "A0 18 00 10 00 37", "A0 1B FF 47 00 FE", "A0 10 1C 18 00 1B")
    for frame in frames:
        plug.send(frame)
        plug.clock.advance(0.001)
    chip = plug.twin.chip
    assert (chip.peek(MODE), chip.peek(TPS_CTRL), chip.peek(I_FAST_RMS_CTRL)) == (0x1000, 0x47FF, 0x181C)
    for _ in range(20):
        plug.clock.advance(1)
        temperatures.add(number(bytes.fromhex(plug.ask("50 AA")), 28))
    assert max(temperatures) - min(temperatures) <= 10, "a larger step makes it drop the packet"
    assert chip.peek(CF_CNT) > 0, "the alarm on CF does not stop the counter"


# ---- registers


def test_power_on_shows_the_reset_values_of_the_bl0940(make_shp10: Make) -> None:
    chip = make_shp10().twin.chip
    for register in set(REGISTERS) - {I_WAVE, V_WAVE, TPS1, TPS2}:  # the waves and the temperatures are there at once
        assert chip.peek(register) == register.reset, register.name


def test_an_unlocked_bl0940_reads_back_the_key(make_shp10: Make) -> None:
    plug = make_shp10()
    chip = plug.twin.chip
    chip.write_word(MODE.address, 0x0100, 0.0)
    assert (chip.peek(USR_WRPROT), chip.peek(MODE)) == (0, 0)
    plug.send(UNLOCK["50"])
    assert plug.ask("50 1A") == "55 00 00 40"
    chip.write_word(WATTOS.address, 0xF6, 0.0)
    assert chip.peek(WATTOS) == -10, "a small correction has a sign"


def test_what_the_bl0942_has_and_the_bl0940_lacks_reads_zero(make_shp10: Make) -> None:
    plug = make_shp10()
    for address in {0x02, 0x05, 0x07, 0x09, 0x12, 0x14, 0x1E}:
        assert address not in BY_ADDRESS
        assert plug.ask(f"50 {address:02X}") == f"00 00 00 {~(0x50 + address) & 0xFF:02X}"
    with pytest.raises(ValueError, match="no register of the line frequency"):
        plug.twin.faults.freeze_frequency()


def test_a_soft_reset_restores_the_settings_and_keeps_the_counter(make_shp10: Make) -> None:
    plug = make_shp10()
    plug.clock.advance(30)
    plug.send(UNLOCK["50"] + SLOW["50"] + CREEP["50"])
    before = plug.twin.chip.peek(CF_CNT)
    assert before > 100
    plug.send(RESET["50"])
    chip = plug.twin.chip
    assert (chip.peek(MODE), chip.peek(WA_CREEP), chip.peek(USR_WRPROT)) == (0, 0x0B, 0x55)
    assert chip.peek(CF_CNT) >= before


def test_a_restart_loses_the_marker_the_lock_and_the_counter(make_shp10: Make) -> None:
    plug = make_shp10()
    plug.send(UNLOCK["50"] + SLOW["50"])
    plug.clock.advance(100)
    assert plug.twin.chip.peek(CF_CNT) > 300
    plug.twin.faults.brown_out()
    assert plug.ask("50 18") == "00 00 00 97", "the marker of a host is gone"
    assert plug.ask("50 1A") == "00 00 00 95"
    assert plug.twin.chip.peek(CF_CNT) <= 1
    plug.clock.advance(1)
    assert plug.twin.chip.peek(V_RMS) == pytest.approx(230 * 79931e3 / 1989 / 1.218, abs=1)


@pytest.mark.parametrize(("mode", "period"), [(0x0000, 0.4), (0x0100, 0.8)])
def test_the_bl0940_refreshes_as_mode_says(make_shp10: Make, mode: int, period: float) -> None:
    plug, seen = make_shp10(), {}
    chip = plug.twin.chip
    chip.poke(MODE, mode)
    plug.clock.advance(3.2)
    plug.twin.set(volts=200.0, amps=1.0)
    for _ in range(200):
        plug.clock.advance(0.01)
        seen.setdefault((chip.peek(V_RMS), chip.peek(I_RMS), chip.peek(WATT)), plug.twin.now())
    assert len(seen) == 2, "old and new, nothing in between"
    assert list(seen.values())[1] == pytest.approx(3.2 + period, abs=0.011)


def test_the_bl0940_hides_what_is_under_its_threshold() -> None:
    watts = 0x0B * CREEP_STEP / (PER_VOLT * PER_AMP * 4046 / (324004 * 79931))
    assert watts == pytest.approx(0.377, abs=0.001)
    below, above = reference(amps=watts / 230 * 0.99), reference(amps=watts / 230 * 1.01)
    for meter in (below, above):
        settled(meter)
    assert (below.twin.chip.peek(WATT), below.twin.chip.peek(I_RMS)) == (0, 0)
    assert above.twin.chip.peek(WATT) == 271


def test_the_counter_goes_down_on_export_and_through_zero() -> None:
    plug = reference(amps=10.0)
    rate = 10 * 230 * PER_VOLT * PER_AMP * 4046 / (324004 * 79931) / CF_WATT_SECONDS
    plug.clock.advance(10)
    up = plug.twin.chip.peek(CF_CNT)
    assert up == int(rate * 10)
    plug.twin.set(pf=-1.0)
    plug.clock.advance(25)
    down = plug.twin.chip.peek(CF_CNT)
    assert down - (1 << 24) == pytest.approx(-rate * 15, abs=1)
    assert plug.twin.chip.peek(WATT) < 0
    plug.twin.set(pf=1.0)
    plug.clock.advance(20)
    assert plug.twin.chip.peek(CF_CNT) == pytest.approx(rate * 5, abs=1), "up through 0 again"


def test_the_counter_keeps_what_flowed_less_what_was_exported(make_shp10: Make) -> None:
    clock = ManualClock()
    twin = open_twin("bw-shp10", clock=clock, scenario="cloudy", seed=4, start="09:00", deviation=Deviation())
    watts_a_count = 1.218**2 / (4046 * 1000 / 1989)
    for _ in range(8):
        clock.advance(1800)
        net = (twin.chip.peek(CF_CNT) ^ 0x800000) - 0x800000
        assert net * CF_WATT_SECONDS * watts_a_count / 3600 == pytest.approx(twin.truth.net_wh, rel=2e-3, abs=0.2)
    assert twin.truth.export_wh > 100
    assert twin.truth.import_wh > 100


def test_corner_is_the_time_between_voltage_and_current(make_shp10: Make) -> None:
    plug = settled(make_shp10(pf=0.5))
    assert plug.twin.chip.peek(CORNER) == pytest.approx(1e6 / 50 / 6, abs=1)
    plug.twin.set(amps=0.0)
    plug.clock.advance(1)
    last = plug.twin.chip.peek(CORNER)
    plug.twin.set(pf=1.0)
    plug.clock.advance(1)
    assert plug.twin.chip.peek(CORNER) == last, "nothing to time"


def test_the_second_temperature_is_an_open_pin_or_switched_off(make_shp10: Make) -> None:
    plug = make_shp10(celsius=24.8)
    assert (plug.twin.chip.peek(TPS1), plug.twin.chip.peek(TPS2)) == (432, 0x3FE)
    plug.twin.chip.poke(TPS_CTRL, 0x27FF)
    assert (plug.twin.chip.peek(TPS1), plug.twin.chip.peek(TPS2)) == (432, 0)


def test_cf_pulses_once_a_count_or_shows_an_alarm(make_shp10: Make) -> None:
    plug = make_shp10(amps=20.0)
    chip, edges, last = plug.twin.chip, 0, False
    start = chip.peek(CF_CNT)
    for _ in range(4000):
        plug.clock.advance(0.005)
        level = chip.output("cf")
        edges += level and not last
        last = level
    assert edges == pytest.approx(chip.peek(CF_CNT) - start, abs=1)
    chip.poke(MODE, 0x1000)
    assert not chip.output("cf"), "the temperature alarm is off at its reset value"
    chip.poke(TPS_CTRL, 0x47FF)
    chip.poke(I_FAST_RMS_CTRL, 0x181C)  # 16.5 A
    assert chip.output("cf")
    plug.twin.set(amps=16.0)
    plug.clock.advance(1)
    assert not chip.output("cf")


def test_samples_of_a_bl0940_tell_what_its_registers_tell(make_shp10: Make) -> None:
    by_rms, by_sample = settled(make_shp10(pf=0.7)), settled(make_shp10(pf=0.7, samples=True))
    for register in (V_RMS, I_RMS, WATT, I_FAST_RMS):
        assert by_sample.twin.chip.peek(register) == pytest.approx(by_rms.twin.chip.peek(register), rel=1e-3)
    assert -(1 << 19) < by_rms.twin.chip.peek(V_WAVE) < 1 << 19


# ---- asking for it


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("twin://bw-shp10?address=1", "twin bw-shp10: address means nothing to its chip, a BL0940"),
        ("twin://bw-shp10?strap=9600", "strap means nothing to its chip, a BL0940"),
        ("twin://lspa9?heads=50", "heads means nothing to its chip, a BL0942"),
        ("twin://lspa9?celsius=30", "celsius means nothing to its chip, a BL0942"),
        ("twin://pziot-e01?chip=bl0940", "wired by SPI, and the BL0940 is modelled on UART only"),
        ("twin://bw-shp10?heads=51", "option heads='51' does not fit"),
        ("twin://bw-shp10?chip=bl0939", "option chip='bl0939' does not fit"),
    ],
)
def test_what_a_bl0940_cannot_be_asked_for_is_refused(url: str, complaint: str) -> None:
    with pytest.raises(UrlError, match=complaint):
        open_port(url)


def test_an_unknown_chip_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UrlError, match="no twin of a chip 'bl0939'; known: bl0942, bl0940"):
        open_twin("lspa9", chip="bl0939")


def test_either_chip_sits_on_either_boards_parts() -> None:
    plug = Plug("bw-shp10", chip="bl0942")
    assert len(bytes.fromhex(plug.ask("58 AA"))) == 23
    assert len(bytes.fromhex(reference().ask("58 AA"))) == 35


@pytest.mark.parametrize("name", CHIP_MODELS)
def test_every_chip_can_be_asked_for_by_url(name: str) -> None:
    with open_port(f"twin://lspa9?chip={name}", clock=ManualClock()) as port:
        assert isinstance(port, TwinPort)
        assert port.twin.model is CHIP_MODELS[name]
