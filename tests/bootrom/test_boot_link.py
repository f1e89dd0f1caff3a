"""The link under junk, cuts, echoes and damage: whole, byte by byte, with neighbours, corrupted."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.bootrom.golden import ANSWERED, SECTOR
from wattrail.bootrom import BootLink, problem
from wattrail.bootrom import commands as c
from wattrail.bootrom.events import NEED_DATA, Answered, ChipFailed, DamagedReply, NoReply, TruncatedReply, WrongEcho
from wattrail.bootrom.link import (
    BUFFER_LIMIT,
    MAX_LONG_LENGTH,
    MAX_SHORT_LENGTH,
    SKIPPED_LIMIT,
    NoFrame,
    PartialFrame,
    take_frame,
)
from wattrail.errors import NoAnswer, UnexpectedReply

LINK = bytes.fromhex("04 0E 05 01 E0 FC 01 00")
rows = st.sampled_from(ANSWERED)
quiet_junk = st.binary(max_size=80).filter(lambda junk: 0x04 not in junk and 0x01 not in junk)


def asked(row) -> tuple[BootLink, bytes, bytes]:
    """A link that waits for the row's reply; request and reply."""
    command, fields, data, _, reply, _ = row
    link = BootLink()
    return link, link.request(command, data, **fields), bytes.fromhex(reply)


@given(rows)
def test_a_reply_comes_whole_and_byte_by_byte_to_the_same(row) -> None:
    whole, _, reply = asked(row)
    dripping, _, _ = asked(row)
    whole.receive(reply)
    for byte in reply:
        assert dripping.next_event() is NEED_DATA
        dripping.receive(bytes((byte,)))
    assert whole.next_event() == dripping.next_event()


@given(rows, quiet_junk, st.binary(max_size=40))
def test_a_reply_is_found_between_junk(row, before: bytes, after: bytes) -> None:
    link, _, reply = asked(row)
    link.receive(before + reply + after)
    event = link.next_event()
    assert isinstance(event, Answered)
    assert (event.frame, event.skipped) == (reply, before)


@given(rows, st.binary(max_size=60))
def test_a_reply_behind_junk_is_found_unless_the_junk_starts_like_one(row, before: bytes) -> None:
    link, _, reply = asked(row)
    link.receive(before + reply)
    event = link.next_event()
    assert event is NEED_DATA or (isinstance(event, Answered) and event.frame == reply)


@given(rows, st.integers(0, 12))
def test_stray_link_replies_in_front_are_counted_and_stepped_over(row, count: int) -> None:
    link, _, reply = asked(row)
    link.receive(LINK * count + reply)
    event = link.next_event()
    assert isinstance(event, Answered)
    assert event.strays == (0 if row[0] is c.LINK_CHECK else count)


@given(rows, st.integers(0, 5000))
def test_our_own_request_coming_back_is_stepped_over(row, cut: int) -> None:
    link, request, reply = asked(row)
    stream = request + reply
    link.receive(stream[:cut])
    event = link.next_event()
    if event is NEED_DATA:
        link.receive(stream[cut:])
        event = link.next_event()
    assert isinstance(event, Answered)
    assert (event.frame, event.skipped) == (reply, b"")


def test_a_request_that_comes_back_with_a_reply_inside_is_not_mistaken() -> None:
    fake = bytes.fromhex("04 0E FF 01 E0 FC F4 06 00 07 00 00 10 01 00")
    link = BootLink()
    request = link.request(c.WRITE_4K, (fake + b"\0" * 4096)[:4096], address=0x11000)
    link.receive(request)
    assert link.next_event() is NEED_DATA
    assert link.end() == NoReply(echoed=True)


def test_a_sector_that_holds_a_picture_of_a_reply_is_read_as_it_is() -> None:
    head = bytes.fromhex("04 0E FF 01 E0 FC F4 06 10 09 00 00 10 01 00")
    data = (head + SECTOR)[:4096]
    link = BootLink()
    link.request(c.READ_4K, address=0x12000)
    stale = bytes.fromhex("04 0E FF 01 E0 FC F4 06 10 09 00 00 20 02 00") + data
    link.receive(stale)
    assert isinstance(link.next_event(), WrongEcho), "the stale frame as a whole, not the one inside"
    assert link.next_event() is NEED_DATA


@given(rows, st.data())
def test_a_reply_cut_anywhere_is_truncated(row, data) -> None:
    link, _, reply = asked(row)
    length = data.draw(st.integers(2, len(reply) - 1))
    link.receive(reply[:length])
    assert link.next_event() is NEED_DATA
    event = link.end()
    assert isinstance(event, TruncatedReply)
    assert event.data == reply[:length]
    assert len(event.data) < event.want <= len(reply)
    error = problem(row[0], event)
    assert isinstance(error, NoAnswer)
    assert error.got == reply[:length]


@given(rows, st.data())
def test_one_flipped_bit_in_a_frame_s_head_or_echo_is_noticed(row, data) -> None:
    link, _, reply = asked(row)
    head = min(len(reply), 10 if row[0].long else 7)
    byte, bit = data.draw(st.integers(0, head - 1)), data.draw(st.integers(0, 7))
    damaged = bytearray(reply)
    damaged[byte] ^= 1 << bit
    link.receive(bytes(damaged))
    assert not isinstance(link.end(), Answered)


@given(st.lists(st.binary(max_size=300), max_size=20), rows)
def test_no_bytes_whatever_upset_a_link(portions: list[bytes], row) -> None:
    link, _, _ = asked(row)
    for portion in portions:
        link.receive(portion)
        event = link.next_event()
        if event is not NEED_DATA:
            problem(row[0], event)
    problem(row[0], link.end())


@given(st.lists(st.sampled_from([b"\x04", b"\x0e", b"\x01", b"\xe0", b"\xfc", b"\xff", b"\xf4", LINK, b"\x06"])), rows)
def test_bytes_that_nearly_make_frames_upset_no_link(pieces: list[bytes], row) -> None:
    link, _, _ = asked(row)
    for piece in pieces:
        link.receive(piece)
        link.next_event()
    link.end()


def test_a_repeated_link_check_forgets_nothing_that_has_begun_to_arrive() -> None:
    link = BootLink()
    link.request(c.LINK_CHECK)
    link.receive(LINK[:5])
    link.request(c.LINK_CHECK)
    link.receive(LINK[5:])
    assert isinstance(link.next_event(), Answered)


def test_another_question_forgets_what_was_left_over() -> None:
    link = BootLink()
    link.request(c.READ_4K, address=0x11000)
    link.receive(bytes.fromhex("04 0E FF 01 E0 FC F4 06 10 09 00") + b"x" * 100)
    link.request(c.LINK_CHECK)
    link.receive(LINK)
    assert isinstance(link.next_event(), Answered)


@pytest.mark.parametrize("name", ["address", "size"])
def test_a_reply_to_something_else_is_reported_and_the_right_one_awaited(name: str) -> None:
    link = BootLink()
    link.request(c.ERASE, size=0x20, address=0x11000)
    good = bytes.fromhex("04 0E FF 01 E0 FC F4 07 00 0F 00 20 00 10 01 00")
    wrong = bytearray(good)
    wrong[12 if name == "address" else 11] ^= 0x80
    link.receive(bytes(wrong) + good)
    event = link.next_event()
    assert isinstance(event, WrongEcho)
    assert (event.field, event.sent) == (name, 0x11000 if name == "address" else 0x20)
    assert event.sent ^ event.got == 0x80
    error = problem(c.ERASE, event)
    assert isinstance(error, UnexpectedReply)
    assert "check the flash at both places" in (error.hint or "")
    assert isinstance(link.next_event(), Answered)


def test_a_status_other_than_0_makes_any_full_reply_a_refusal() -> None:
    link = BootLink()
    link.request(c.READ_4K, address=0x11000)
    link.receive(bytes.fromhex("04 0E FF 01 E0 FC F4 06 10 09 05 00 10 01 00") + SECTOR)
    event = link.next_event()
    assert isinstance(event, Answered)
    assert (event.refused, event.status) == (True, 5)


def test_a_short_read_with_status_0_is_not_an_answer() -> None:
    link = BootLink()
    link.request(c.READ_4K, address=0)
    link.receive(bytes.fromhex("04 0E FF 01 E0 FC F4 07 00 09 00 00 00 00 00 00"))
    event = link.end()
    assert isinstance(event, DamagedReply)
    assert event.why == "a reply to Read4K with 5 bytes of payload"


@pytest.mark.parametrize("code", [0xEE, 0xFE])
def test_a_system_error_is_reported_with_its_code(code: int) -> None:
    link = BootLink()
    link.request(c.READ_4K, address=0x11000)
    link.receive(bytes((0x04, 0x0E, 0x04, 0x01, 0xE0, 0xFC, code)))
    event = link.next_event()
    assert isinstance(event, ChipFailed)
    assert f"system error {code:02X}" in str(problem(c.READ_4K, event))


def test_silence_noise_strays_and_echo_have_words_of_their_own() -> None:
    def said(data: bytes, command=c.READ_REG, **fields: int) -> str:
        link = BootLink()
        request = link.request(command, **(fields or {"address": 0x800000}))
        link.receive(data.replace(b"ECHO", request))
        error = problem(command, link.end())
        assert error is not None
        assert error.hint
        return str(error)

    assert said(b"") == "ReadReg: no answer"
    assert said(LINK * 3) == "ReadReg: not answered, though 3 other replies came"
    assert said(b"ECHO") == "ReadReg: only our own bytes came back"
    assert said(b"V:BK7231N_1.0.1\r\n").startswith("ReadReg: no reply among 17 bytes in 56 3A 42 4B")
    assert said(LINK[:6]) == "ReadReg: 6 of 7 bytes arrived"
    assert said(b"\x55\xaa" * 40).endswith("55 AA ...")


def test_a_length_beyond_any_known_reply_is_noise_and_not_waited_for() -> None:
    longest = (MAX_LONG_LENGTH + 1).to_bytes(2, "little")
    for head in (
        b"\x04\x0e\xff\x01\xe0\xfc\xf4" + longest + b"\x09\x00",
        bytes((4, 14, MAX_SHORT_LENGTH + 1, 1, 0xE0, 0xFC, 3)),
    ):
        found = take_frame(head)
        assert isinstance(found, NoFrame)
        assert "the longest known is" in found.why
    assert isinstance(take_frame(b"\x04\x0e\xff\x01\xe0\xfc\xf4\x06\x10\x09\x00"), PartialFrame)


def test_a_link_keeps_no_more_than_its_caps() -> None:
    link = BootLink()
    link.request(c.READ_4K, address=0)
    for _ in range(20):
        link.receive(b"\x55" * 4096)
    event = link.end()
    assert isinstance(event, DamagedReply)
    assert len(event.data) <= BUFFER_LIMIT + SKIPPED_LIMIT


def test_a_late_answer_to_an_earlier_read_does_not_pass_for_this_one() -> None:
    row = next(row for row in ANSWERED if row[0] is c.READ_4K)
    link = BootLink()
    link.request(c.CHECK_CRC, start=0, end=255)
    link.receive(bytes.fromhex(row[4]) + bytes.fromhex("04 0E 08 01 E0 FC 10 01 02 03 04"))
    event = link.next_event()
    assert isinstance(event, Answered)
    assert (event["crc"], event.strays) == (0x04030201, 1)
    assert replace(event, strays=0).strays == 0
