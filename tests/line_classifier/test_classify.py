"""The classifier: every talker is known by its own bytes, and nothing else is taken for one."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattrail.line_classifier import HEARD_LIMIT, LISTEN_RATES, SHOWN_LIMIT, TrafficKind, classify, clearest
from wattrail.twin.uart_line import as_received

ANSWER = bytes.fromhex("04 0E 05 01 E0 FC 01 00")
LINK_CHECK = bytes.fromhex("01 E0 FC 01 00")
HEARTBEAT = bytes.fromhex("55 AA 00 00 00 00 FF")
REPORT = bytes.fromhex("55 AA 03 07 00 08 05 02 00 04 00 00 00 1E 3A")
PACKET = bytes.fromhex("55 93 22 00 7F 21 3B 11 22 00 FE FF FF 01 00 00 26 4E 00 08 00 00")
BOOT_LOG = b"\r\nV:BK7231N_1.0.1\r\nCPSR:000000D3\r\nR0:70000000\r\nJ 0x10000\r\n"
APP_LOG = b"Info:MAIN:Time 5, idle 0/s, free 77000, MQTT 0(0)\r\nInfo:GEN:PIN_SetupPins pins have been set up.\r\n"

MEANINGLESS = (TrafficKind.GARBAGE, TrafficKind.BREAK, TrafficKind.SILENCE)
RATES = (115200, 230400, 460800, 576000, 921600, 1_000_000, 1_500_000, 2_000_000, 3_000_000)
RATE = st.sampled_from((4800, 9600, 19200, 38400, *RATES))


def packet(address: int = 0) -> bytes:
    """A BL0942's packet with its checksum."""
    return PACKET + bytes((~(0x58 + address + sum(PACKET)) & 0xFF,))


# ---- what each talker sounds like


def test_nothing_is_silence() -> None:
    heard = classify(b"", 115200)
    assert (heard.kind, heard.count, heard.words) == (TrafficKind.SILENCE, 0, "nothing")


def test_the_chip_s_answer_is_found_among_noise_and_counted() -> None:
    heard = classify(b"\x00\xf8" + ANSWER * 3 + b"\x81", 115200)
    assert (heard.kind, heard.count) == (TrafficKind.LINK, 3)
    assert heard.shown.startswith(ANSWER)


def test_an_answer_and_then_a_boot_banner_are_both_reported() -> None:
    heard = classify(ANSWER + BOOT_LOG, 115200)
    assert (heard.kind, heard.banners) == (TrafficKind.LINK, 1)
    assert "boot banner" in heard.words


@pytest.mark.parametrize("length", range(2, 8))
def test_an_answer_cut_short_is_half_of_one(length: int) -> None:
    assert classify(ANSWER[:length], 115200).kind is TrafficKind.HALF_ANSWER


@pytest.mark.parametrize("lost", range(8))
def test_an_answer_that_lost_any_byte_is_half_of_one(lost: int) -> None:
    heard = classify((ANSWER[:lost] + ANSWER[lost + 1 :]) * 2, 115200)
    assert heard.kind is TrafficKind.HALF_ANSWER


@given(st.lists(st.integers(0, 63), min_size=1, max_size=2, unique=True))
def test_an_answer_with_one_or_two_bent_bits_is_half_of_one(bits: list[int]) -> None:
    bent = bytearray(ANSWER)
    for bit in bits:
        bent[bit // 8] ^= 1 << bit % 8
    assert classify(bytes(bent), 115200).kind is TrafficKind.HALF_ANSWER


def test_a_late_answer_to_another_request_is_part_of_a_chip_s_answer() -> None:
    late = bytes.fromhex("04 0E 0C 01 E0 FC 03 00 00 80 00 1C 23 07 00")
    assert classify(late, 115200).kind is TrafficKind.HALF_ANSWER


def test_a_damaged_answer_beside_a_whole_one_does_not_hide_it() -> None:
    assert classify(ANSWER[:5] + ANSWER, 115200).kind is TrafficKind.LINK


def test_our_own_link_checks_are_an_echo_and_not_half_an_answer() -> None:
    heard = classify(LINK_CHECK * 12, 115200)
    assert (heard.kind, heard.count) == (TrafficKind.ECHO, 12)


@given(st.integers(0, 60), st.integers(8, 60))
def test_an_echo_cut_anywhere_is_an_echo(start: int, length: int) -> None:
    assert classify((LINK_CHECK * 30)[start : start + length], 115200, sent=LINK_CHECK).kind is TrafficKind.ECHO


def test_whatever_we_sent_is_an_echo_when_it_comes_back() -> None:
    provocation = b"reboot\r\n" + bytes.fromhex("01 E0 FC 05 FE 95 27 95 27")
    assert classify((LINK_CHECK * 5 + provocation) * 4, 115200, sent=LINK_CHECK).kind is TrafficKind.ECHO
    assert classify(provocation, 115200, sent=provocation).kind is TrafficKind.ECHO
    assert classify(provocation[3:12], 115200, sent=provocation).kind is TrafficKind.ECHO


def test_an_answer_over_a_shorted_line_is_an_answer() -> None:
    assert classify(LINK_CHECK * 3 + ANSWER, 115200, sent=LINK_CHECK).kind is TrafficKind.LINK


def test_tuya_frames_are_named_and_say_who_speaks() -> None:
    module = classify(b"\x00\x00" + HEARTBEAT * 2, 9600)
    other = classify(REPORT, 9600)
    assert (module.kind, module.count, module.from_module) == (TrafficKind.TUYA_MCU, 2, True)
    assert "heartbeat" in module.words
    assert (other.kind, other.count, other.from_module) == (TrafficKind.TUYA_MCU, 1, False)
    assert "report of a data point" in other.words


def test_a_false_head_hides_no_tuya_frame_and_a_bad_checksum_makes_none() -> None:
    assert classify(b"\x55\xaa\x55" + HEARTBEAT, 9600).kind is TrafficKind.TUYA_MCU
    assert classify(HEARTBEAT[:-1] + b"\xfe", 9600).kind is TrafficKind.GARBAGE
    assert classify(HEARTBEAT[:-1], 9600).kind is TrafficKind.GARBAGE


@pytest.mark.parametrize("baud", [4800, 9600])
def test_a_bl0942_is_known_by_what_it_is_asked_and_by_what_it_answers(baud: int) -> None:
    asked = classify(b"\x58\xaa" * 3, baud)
    answers = classify(b"\xff" + packet(address=2) * 2, baud)
    assert (asked.kind, asked.count, asked.from_module) == (TrafficKind.BL0942, 3, True)
    assert (answers.kind, answers.count, answers.from_module) == (TrafficKind.BL0942, 2, False)
    assert classify(b"\x58\xaa", baud).kind is TrafficKind.BL0942


def test_two_bytes_like_a_bl0942_request_prove_nothing_elsewhere() -> None:
    assert classify(b"\x58\xaa" * 3, 115200).kind is TrafficKind.GARBAGE
    assert classify(b"\x58\xaa\x17\x93\xe2", 4800).kind is TrafficKind.GARBAGE
    assert classify(packet()[:-1] + b"\x00", 4800).kind is TrafficKind.GARBAGE


@pytest.mark.parametrize("banner", ["BK7231N_1.0.1", "BK7231S_1.0.5", "BK7231n_1.0.11", "BK7238_1.0.14"])
def test_a_boot_banner_is_recognised_and_each_one_is_a_start(banner: str) -> None:
    heard = classify((b"\x00\xfe" + f"V:{banner}\r\n".encode()) * 3, 115200)
    assert (heard.kind, heard.banners) == (TrafficKind.TEXT, 3)
    assert banner in heard.words


def test_readable_lines_are_a_log_without_a_banner() -> None:
    heard = classify(b"\xf8\x00" + APP_LOG, 115200)
    assert (heard.kind, heard.banners) == (TrafficKind.TEXT, 0)


def test_our_own_link_checks_in_between_do_not_make_a_log_unreadable() -> None:
    mixed = b"".join(APP_LOG[at : at + 20] + LINK_CHECK * 3 for at in range(0, len(APP_LOG), 20))
    assert classify(mixed, 115200).kind is TrafficKind.TEXT


def test_zeros_and_nothing_else_are_a_line_held_low() -> None:
    assert classify(b"\0" * 9, 115200).kind is TrafficKind.BREAK
    assert classify(b"\0" * 9 + b"\xff", 115200).kind is TrafficKind.GARBAGE


# ---- nothing else is taken for them


@pytest.mark.parametrize("heard_at", [4800, 9600, 57600, *RATES])
@pytest.mark.parametrize("sent_at", [4800, 9600, 115200, 921600, 2_000_000])
@pytest.mark.parametrize(
    "data",
    [ANSWER * 12, LINK_CHECK * 20, HEARTBEAT * 8, REPORT * 8, b"\x58\xaa" * 8, packet() * 4, BOOT_LOG * 3, APP_LOG * 4],
    ids=["answers", "link checks", "heartbeats", "reports", "requests", "packets", "boot log", "application log"],
)
def test_what_is_sent_at_another_rate_makes_no_sense(data: bytes, sent_at: int, heard_at: int) -> None:
    if abs(sent_at - heard_at) <= 0.04 * sent_at:
        return
    for step in (len(data), 19, 7):  # without and with pauses, in which a receiver finds its place again
        pieces = (as_received(data[at : at + step], sent_at, heard_at) for at in range(0, len(data), step))
        assert classify(b"".join(pieces), heard_at).kind in MEANINGLESS


@given(st.integers(0, 1 << 64), st.integers(0, 400), RATE)
def test_random_bytes_are_neither_an_answer_nor_a_talker(seed: int, length: int, baud: int) -> None:
    # Random by a seed: bytes that a search may choose freely can spell words, and those are rightly a log.
    assert classify(random.Random(seed).randbytes(length), baud).kind in MEANINGLESS


PIECES = (
    ANSWER,
    LINK_CHECK,
    HEARTBEAT,
    REPORT,
    packet(),
    BOOT_LOG,
    APP_LOG,
    b"\x55\xaa",
    b"\x58\xaa",
    b"\x04\x0e",
    b"\0",
)
CUT = st.builds(lambda piece, length: piece[:length], st.sampled_from(PIECES), st.integers(1, 99))
NEARLY = st.lists(CUT, max_size=12).map(b"".join)


@given(NEARLY, RATE, st.binary(max_size=20))
def test_an_answer_is_heard_exactly_if_one_is_there(data: bytes, baud: int, sent: bytes) -> None:
    heard = classify(data, baud, sent=sent)
    assert (heard.kind is TrafficKind.LINK) == (ANSWER in data)
    assert len(heard.shown) <= SHOWN_LIMIT
    assert heard.words
    assert heard.baud == baud


@pytest.mark.parametrize("unit", [b"\x55\xaa\x00\x00", b"\x04\x0e", b"\x01\xe0\xfc", b"\x55", b"\0", b"a "])
def test_floods_are_cut_to_a_bounded_size(unit: bytes) -> None:
    heard = classify(unit * 200_000 + ANSWER, 115200)
    assert heard.count <= HEARD_LIMIT
    assert heard.kind is not TrafficKind.LINK


# ---- choosing


def test_the_clearest_is_the_most_telling_and_then_the_one_heard_most() -> None:
    log, few, many = classify(APP_LOG, 115200), classify(HEARTBEAT, 9600), classify(HEARTBEAT * 3, 9600)
    assert clearest([classify(b"\x93" * 99, 4800), log, few, many]) is many
    assert clearest([classify(b"", 115200), log]) is log
    assert clearest([]) is None


def test_likely_talkers_come_first_in_the_rates_each_with_its_reason() -> None:
    rates = [baud for baud, _ in LISTEN_RATES]
    assert rates[:3] == [115200, 9600, 4800]
    assert {921600, 1_500_000, 2_000_000} <= set(rates)
    assert len(set(rates)) == len(rates)
    assert all(reason for _, reason in LISTEN_RATES)


# ---- a metering chip that only sends

CSE7766_CAPTURES = (  # checksums hold; published with espurna #867 and ESPEasy #1934
    "55 5A 02 E9 50 00 03 31 00 3E 9E 00 0D 30 4F 44 F8 00 12 65 F1 81 76 72",
    "F2 5A 02 E9 50 00 03 2B 00 3E 9E 02 D7 7C 4F 44 F8 CF A5 5D E1 B3 2A B4",
)


@pytest.mark.parametrize("capture", CSE7766_CAPTURES)
def test_a_cse7766_is_known_by_its_frames_from_anywhere_in_them(capture: str) -> None:
    frame = bytes.fromhex(capture)
    heard = classify((frame * 4)[9:], 4800)
    assert (heard.kind, heard.count) == (TrafficKind.CSE7766, 3)
    assert classify(frame[:-1] + b"\x00", 4800).kind is TrafficKind.GARBAGE


# ---- requests of a meter: two bytes each

ASKED = (b"\x58\x19", b"\x59\x19", b"\x5a\x19", b"\x5b\x19")


def test_two_byte_requests_that_come_back_are_an_echo() -> None:
    assert classify(b"".join(ASKED), 4800, sent=ASKED).kind is TrafficKind.ECHO
    assert classify(ASKED[0], 4800, sent=ASKED).kind is TrafficKind.ECHO


def test_two_byte_requests_within_other_traffic_are_not_an_echo() -> None:
    assert (
        classify(bytes(range(0x30, 0x90)) + ASKED[0] + bytes(range(0x90)), 4800, sent=ASKED).kind
        is not TrafficKind.ECHO
    )
    assert classify(APP_LOG + ASKED[0], 115200, sent=ASKED).kind is TrafficKind.TEXT
