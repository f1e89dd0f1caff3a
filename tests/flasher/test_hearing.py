"""The ear: every talker is known by its own bytes, and nothing else is taken for one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattrail.bootrom.constants import RATES
from wattrail.flasher.hearing import HEARD_LIMIT, LISTEN_RATES, SHOWN_LIMIT, Sound, classify, clearest
from wattrail.twin.uart_line import as_received

ANSWER = bytes.fromhex("04 0E 05 01 E0 FC 01 00")
KNOCK = bytes.fromhex("01 E0 FC 01 00")
HEARTBEAT = bytes.fromhex("55 AA 00 00 00 00 FF")
REPORT = bytes.fromhex("55 AA 03 07 00 08 05 02 00 04 00 00 00 1E 3A")
PACKET = bytes.fromhex("55 93 22 00 7F 21 3B 11 22 00 FE FF FF 01 00 00 26 4E 00 08 00 00")
BOOT_LOG = b"\r\nV:BK7231N_1.0.1\r\nCPSR:000000D3\r\nR0:70000000\r\nJ 0x10000\r\n"
APP_LOG = b"Info:MAIN:Time 5, idle 0/s, free 77000, MQTT 0(0)\r\nInfo:GEN:PIN_SetupPins pins have been set up.\r\n"

MEANINGLESS = (Sound.GARBAGE, Sound.BREAK, Sound.SILENCE)
RATE = st.sampled_from((4800, 9600, 19200, 38400, *RATES))


def packet(address: int = 0) -> bytes:
    """A BL0942's packet with its checksum."""
    return PACKET + bytes((~(0x58 + address + sum(PACKET)) & 0xFF,))


# ---- what each talker sounds like


def test_nothing_is_silence() -> None:
    heard = classify(b"", 115200)
    assert (heard.sound, heard.count, heard.words) == (Sound.SILENCE, 0, "nothing")


def test_the_chip_s_answer_is_found_among_noise_and_counted() -> None:
    heard = classify(b"\x00\xf8" + ANSWER * 3 + b"\x81", 115200)
    assert (heard.sound, heard.count) == (Sound.LINK, 3)
    assert heard.shown.startswith(ANSWER)


def test_an_answer_and_then_a_boot_banner_are_both_told() -> None:
    heard = classify(ANSWER + BOOT_LOG, 115200)
    assert (heard.sound, heard.banners) == (Sound.LINK, 1)
    assert "boot banner" in heard.words


@pytest.mark.parametrize("length", range(2, 8))
def test_an_answer_cut_short_is_half_of_one(length: int) -> None:
    assert classify(ANSWER[:length], 115200).sound is Sound.HALF_ANSWER


@pytest.mark.parametrize("lost", range(8))
def test_an_answer_that_lost_any_byte_is_half_of_one(lost: int) -> None:
    heard = classify((ANSWER[:lost] + ANSWER[lost + 1 :]) * 2, 115200)
    assert heard.sound is Sound.HALF_ANSWER


@given(st.lists(st.integers(0, 63), min_size=1, max_size=2, unique=True))
def test_an_answer_with_one_or_two_bent_bits_is_half_of_one(bits: list[int]) -> None:
    bent = bytearray(ANSWER)
    for bit in bits:
        bent[bit // 8] ^= 1 << bit % 8
    assert classify(bytes(bent), 115200).sound is Sound.HALF_ANSWER


def test_the_late_answer_to_another_question_is_a_piece_of_the_chip_s_answer() -> None:
    late = bytes.fromhex("04 0E 0C 01 E0 FC 03 00 00 80 00 1C 23 07 00")
    assert classify(late, 115200).sound is Sound.HALF_ANSWER


def test_a_damaged_answer_beside_a_whole_one_does_not_hide_it() -> None:
    assert classify(ANSWER[:5] + ANSWER, 115200).sound is Sound.LINK


def test_our_own_link_checks_are_an_echo_and_not_half_an_answer() -> None:
    heard = classify(KNOCK * 12, 115200)
    assert (heard.sound, heard.count) == (Sound.ECHO, 12)


@given(st.integers(0, 60), st.integers(8, 60))
def test_an_echo_cut_anywhere_is_an_echo(start: int, length: int) -> None:
    assert classify((KNOCK * 30)[start : start + length], 115200, sent=KNOCK).sound is Sound.ECHO


def test_whatever_we_sent_is_an_echo_when_it_comes_back() -> None:
    provocation = b"reboot\r\n" + bytes.fromhex("01 E0 FC 05 FE 95 27 95 27")
    assert classify((KNOCK * 5 + provocation) * 4, 115200, sent=KNOCK).sound is Sound.ECHO
    assert classify(provocation, 115200, sent=provocation).sound is Sound.ECHO
    assert classify(provocation[3:12], 115200, sent=provocation).sound is Sound.ECHO


def test_an_answer_over_a_shorted_line_is_an_answer() -> None:
    assert classify(KNOCK * 3 + ANSWER, 115200, sent=KNOCK).sound is Sound.LINK


def test_tuya_frames_are_named_and_say_who_speaks() -> None:
    module = classify(b"\x00\x00" + HEARTBEAT * 2, 9600)
    other = classify(REPORT, 9600)
    assert (module.sound, module.count, module.from_module) == (Sound.TUYA_MCU, 2, True)
    assert "heartbeat" in module.words
    assert (other.sound, other.count, other.from_module) == (Sound.TUYA_MCU, 1, False)
    assert "report of a data point" in other.words


def test_a_false_head_inside_a_tuya_frame_hides_nothing_and_a_wrong_checksum_is_no_frame() -> None:
    assert classify(b"\x55\xaa\x55" + HEARTBEAT, 9600).sound is Sound.TUYA_MCU
    assert classify(HEARTBEAT[:-1] + b"\xfe", 9600).sound is Sound.GARBAGE
    assert classify(HEARTBEAT[:-1], 9600).sound is Sound.GARBAGE


@pytest.mark.parametrize("baud", [4800, 9600])
def test_a_bl0942_is_known_by_what_it_is_asked_and_by_what_it_answers(baud: int) -> None:
    asked = classify(b"\x58\xaa" * 3, baud)
    answers = classify(b"\xff" + packet(address=2) * 2, baud)
    assert (asked.sound, asked.count, asked.from_module) == (Sound.BL0942, 3, True)
    assert (answers.sound, answers.count, answers.from_module) == (Sound.BL0942, 2, False)
    assert classify(b"\x58\xaa", baud).sound is Sound.BL0942


def test_two_bytes_that_look_like_a_bl0942_s_request_prove_nothing_elsewhere() -> None:
    assert classify(b"\x58\xaa" * 3, 115200).sound is Sound.GARBAGE
    assert classify(b"\x58\xaa\x17\x93\xe2", 4800).sound is Sound.GARBAGE
    assert classify(packet()[:-1] + b"\x00", 4800).sound is Sound.GARBAGE


@pytest.mark.parametrize("banner", ["BK7231N_1.0.1", "BK7231S_1.0.5", "BK7231n_1.0.11", "BK7238_1.0.14"])
def test_a_boot_banner_is_recognised_and_each_one_is_a_start(banner: str) -> None:
    heard = classify((b"\x00\xfe" + f"V:{banner}\r\n".encode()) * 3, 115200)
    assert (heard.sound, heard.banners) == (Sound.TEXT, 3)
    assert banner in heard.words


def test_readable_lines_are_a_log_without_a_banner() -> None:
    heard = classify(b"\xf8\x00" + APP_LOG, 115200)
    assert (heard.sound, heard.banners) == (Sound.TEXT, 0)


def test_our_own_knocking_in_between_does_not_make_a_log_unreadable() -> None:
    mixed = b"".join(APP_LOG[at : at + 20] + KNOCK * 3 for at in range(0, len(APP_LOG), 20))
    assert classify(mixed, 115200).sound is Sound.TEXT


def test_zeros_and_nothing_else_are_a_line_held_low() -> None:
    assert classify(b"\0" * 9, 115200).sound is Sound.BREAK
    assert classify(b"\0" * 9 + b"\xff", 115200).sound is Sound.GARBAGE


# ---- nothing else is taken for them


@pytest.mark.parametrize("heard_at", [4800, 9600, 57600, *RATES])
@pytest.mark.parametrize("sent_at", [4800, 9600, 115200, 921600, 2_000_000])
@pytest.mark.parametrize(
    "data",
    [ANSWER * 12, KNOCK * 20, HEARTBEAT * 8, REPORT * 8, b"\x58\xaa" * 8, packet() * 4, BOOT_LOG * 3, APP_LOG * 4],
    ids=["answers", "knocks", "heartbeats", "reports", "requests", "packets", "boot log", "application log"],
)
def test_what_is_sent_at_another_rate_makes_no_sense(data: bytes, sent_at: int, heard_at: int) -> None:
    if abs(sent_at - heard_at) <= 0.04 * sent_at:
        return
    for step in (len(data), 19, 7):  # without and with pauses, in which a receiver finds its place again
        pieces = (as_received(data[at : at + step], sent_at, heard_at) for at in range(0, len(data), step))
        assert classify(b"".join(pieces), heard_at).sound in MEANINGLESS


@given(st.binary(max_size=400), RATE)
def test_random_bytes_are_no_answer_and_no_talker(data: bytes, baud: int) -> None:
    assert classify(data, baud).sound in MEANINGLESS


PIECES = (ANSWER, KNOCK, HEARTBEAT, REPORT, packet(), BOOT_LOG, APP_LOG, b"\x55\xaa", b"\x58\xaa", b"\x04\x0e", b"\0")
CUT = st.builds(lambda piece, length: piece[:length], st.sampled_from(PIECES), st.integers(1, 99))
NEARLY = st.lists(CUT, max_size=12).map(b"".join)


@given(NEARLY, RATE, st.binary(max_size=20))
def test_an_answer_is_heard_exactly_if_one_is_there(data: bytes, baud: int, sent: bytes) -> None:
    heard = classify(data, baud, sent=sent)
    assert (heard.sound is Sound.LINK) == (ANSWER in data)
    assert len(heard.shown) <= SHOWN_LIMIT
    assert heard.words
    assert heard.as_dict()["baud"] == baud


@pytest.mark.parametrize("unit", [b"\x55\xaa\x00\x00", b"\x04\x0e", b"\x01\xe0\xfc", b"\x55", b"\0", b"a "])
def test_floods_are_cut_to_a_bounded_size(unit: bytes) -> None:
    heard = classify(unit * 200_000 + ANSWER, 115200)
    assert heard.count <= HEARD_LIMIT
    assert heard.sound is not Sound.LINK


# ---- choosing


def test_the_clearest_is_the_most_telling_and_then_the_one_heard_most() -> None:
    log, few, many = classify(APP_LOG, 115200), classify(HEARTBEAT, 9600), classify(HEARTBEAT * 3, 9600)
    assert clearest([classify(b"\x93" * 99, 4800), log, few, many]) is many
    assert clearest([classify(b"", 115200), log]) is log
    assert clearest([]) is None


def test_the_rates_to_listen_at_begin_with_those_of_likely_talkers_and_each_has_its_reason() -> None:
    rates = [baud for baud, _ in LISTEN_RATES]
    assert rates[:3] == [115200, 9600, 4800]
    assert {921600, 1_500_000, 2_000_000} <= set(rates)
    assert len(set(rates)) == len(rates)
    assert all(reason for _, reason in LISTEN_RATES)
