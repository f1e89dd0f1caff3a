"""Tuya's frames against bytes that tinytuya 1.20.0 and an independent device made, each deciphering the other.

Two captures of real devices stand beside them: a heartbeat answer (smarthomej#306). Source: tuya/lan.
"""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattrail.errors import ChecksumError, LinkError, UnexpectedReply
from wattrail.network_meters.tuya_frames import (
    MAX_FRAME_BYTES,
    FrameKey,
    TuyaCommand,
    TuyaFrame,
    TuyaFrameReader,
    TuyaVersion,
    encode_frame,
    session_key,
)
from wattrail.network_meters.tuya_session import TuyaSession

KEY = b"0123456789abcdef"
ID = "bf000000000000000000aa"
OURS, THEIRS = bytes(range(0x10, 0x20)), bytes(range(0x30, 0x40))
IV = bytes(range(0x20, 0x2C))
AT = 1764000000
DPS = {"101": 2312, "102": 437, "103": 98650, "109": 123456}

QUERY_31 = bytes.fromhex(
    "000055aa000000010000000a0000007a7b2267774964223a2262663030303030303030303030303030303030306161222c22"
    "6465764964223a2262663030303030303030303030303030303030306161222c22756964223a226266303030303030303030"
    "3030303030303030306161222c2274223a2231373634303030303030227d7aa09f230000aa55"
)
QUERY_33 = bytes.fromhex(
    "000055aa000000010000000a0000008851fd05636f95317b33b19c404fc2360a83243e3b1e8282be4350aab548a15f426548"
    "aebc81850480ec1ad4cf3b463b76f91ea0089b502d983a35fa58dd9e45808fc41d5d006239f84c5db356c6ef6c9883243e3b"
    "1e8282be4350aab548a15f426af44f158effcc2d539b3fd1f97d021f0efea48a0091daa595a3a780fe13bd0e24a13d9a0000"
    "aa55"
)
ANSWER_33 = bytes.fromhex(
    "000055aa000000010000000a0000006c00000000692cbbef37f7c782afdf7c5fe9c2479cf91ea0089b502d983a35fa58dd9e"
    "458071735e77ac2714402af3d37bf31daae5dca4b807b3d410926ee9eac205112aa9dde9fd441c1c36c868201757eb99ee17"
    "a7b4994deb2995ed05d6e4bc326ef45c9530ea1b0000aa55"
)
UPDATE_33 = bytes.fromhex("000055aa0000000300000012000000185a6f8184d1becaff409a86495021e87b60014aa10000aa55")
ACKNOWLEDGED_33 = bytes.fromhex("000055aa00000003000000120000000c00000000230e1b610000aa55")
PUSH_33 = bytes.fromhex(
    "000055aa00000000000000080000004b00000000332e330000000000000001000000010f49bb40dd06fee88abfb7a5025c94"
    "8e4e7e4202449fba939975b97c7e76a8a49883ee23925113e07a560f677a79f42a72a0a0d80000aa55"
)
HEARTBEAT_33 = bytes.fromhex("000055aa00000002000000090000000c00000000d00d1e480000aa55")
REAL_HEARTBEAT = bytes.fromhex("000055AA00000000000000090000000C00000000B051AB030000AA55")  # smarthomej#306

START_34 = bytes.fromhex(
    "000055aa000000010000000300000044cada65093bdfede24f6df5db60ae4e18377222e061a924c591cd9c27ea163ed4b57c"
    "d019ae41bbdcd91ae02d69542ef83b0c61925c4a83298ab37d5c7d480b210000aa55"
)
ANSWERED_34 = bytes.fromhex(
    "000055aa00000001000000040000006800000000edda6332cc273dd7d0480ed5c1f6cb299c779c85a29636b77f2f2158e150"
    "be6484e973c004adf93d392df2eea0f48ca7377222e061a924c591cd9c27ea163ed4f226ee254682da806853b193ba48439b"
    "8ee7149349a3de0e1a1657506ddcbca70000aa55"
)
FINISH_34 = bytes.fromhex(
    "000055aa00000002000000050000005493d5211d61de3e62aa9efb50135b9d3006171af109da99d9a17adbf443396cbc3772"
    "22e061a924c591cd9c27ea163ed4dd1e7c0e808673858b25507558b5b5e290660fab5dc3d038f571d3e472f455970000aa55"
)
QUERY_34 = bytes.fromhex(
    "000055aa000000030000001000000034913331c567447b61f84030c541a7eac00f1d49be7bd39b07c01591f2814244978821"
    "cb278e69944730681585db9038eb0000aa55"
)
START_35 = bytes.fromhex(
    "00006699000000000001000000030000002c202122232425262728292a2bf40ef90ae5e75a9be1b10a5c6d94fb0d104263d0"
    "094e11fda8555ab87e79f6de00009966"
)
ANSWERED_35 = bytes.fromhex(
    "000066990000000000010000000400000050404142434445464748494a4b5a84c6fc5092682e1c597e2afb1751209cf6bc39"
    "7fe561080d7f79a735f0954fb0e29ddd530392c73e1288be05e916e9a393cb706a49d76245df3c96bc0c4c3d487da3760000"
    "9966"
)
FINISH_35 = bytes.fromhex(
    "00006699000000000002000000050000003c202122232425262728292a2b02f1dada288caeeea9c22cefd006bb62cb8ab9c6"
    "a9b3c2082a828a5f60d5561e0f63be368354af41a7561735d634496c00009966"
)
QUERY_35 = bytes.fromhex(
    "00006699000000000003000000100000001e202122232425262728292a2b9d979537af64cf8f59086efe74519e886b1600009966"
)
ANSWER_35 = bytes.fromhex(
    "000066990000000000020000001000000057404142434445464748494a4bfc1dc2214fa4b3d5c63db712eda04ad9f9158128"
    "f202bb2d38dc218bfc2854e7adf353840b2baf8b9fe4a73145b9ee7b0f9b69b90882b6868a10bc4fee92e703afcbd0bda8be"
    "894b479a0900009966"
)


def key(version: str, of: bytes = KEY) -> FrameKey:
    return FrameKey(TuyaVersion(version), of)


def randomness(size: int) -> bytes:
    return OURS if size == 16 else IV


def session(version: str, *, points: tuple[int, ...] = (103,)) -> TuyaSession:
    return TuyaSession("meter", ID, key(version), random=randomness, points=points)


def read_one(data: bytes, frame_key: FrameKey) -> TuyaFrame | None:
    reader = TuyaFrameReader("meter")
    reader.receive(data)
    return reader.next_frame(frame_key)


@pytest.mark.parametrize(("version", "expected"), [("3.1", QUERY_31), ("3.3", QUERY_33)])
def test_a_query_has_the_bytes_of_tinytuya(version: str, expected: bytes) -> None:
    asking = session(version)
    assert asking.start() == b""
    asking.query(AT)
    assert asking.data_to_send() == expected


@pytest.mark.parametrize(
    ("version", "start", "answered", "finish", "query", "shared"),
    [
        ("3.4", START_34, ANSWERED_34, FINISH_34, QUERY_34, "92f3e260a3927b6043f3e17f0db54132"),
        ("3.5", START_35, ANSWERED_35, FINISH_35, QUERY_35, "b1e94f182487a6b14a0b38bc55c9918a"),
    ],
)
def test_a_session_key_is_agreed_on(
    version: str, start: bytes, answered: bytes, finish: bytes, query: bytes, shared: str
) -> None:
    asking = session(version)
    assert asking.start() == start
    assert not asking.is_ready
    assert asking.receive(answered) == []
    assert asking.is_ready
    assert asking.is_proven
    assert asking.data_to_send() == finish
    asking.query(AT)
    assert asking.data_to_send() == query
    assert session_key(key(version), OURS, THEIRS).key.hex() == shared


def test_an_answer_of_3_3_is_deciphered() -> None:
    asking = session("3.3")
    (report,) = asking.receive(ANSWER_33)
    assert json.loads(report.payload)["dps"] == DPS
    assert not report.is_push
    assert asking.is_proven


def test_an_answer_of_3_5_is_deciphered_by_the_key_of_the_session() -> None:
    asking = session("3.5")
    asking.start()
    asking.receive(ANSWERED_35)
    (report,) = asking.receive(ANSWER_35)
    assert json.loads(report.payload)["dps"] == DPS


def test_a_push_says_so() -> None:
    asking = session("3.3")
    (report,) = asking.receive(PUSH_33)
    assert json.loads(report.payload)["dps"] == {"103": 98700}
    assert report.is_push


def test_acknowledgements_say_nothing_of_a_meter_and_prove_no_key() -> None:
    asking = session("3.3")
    assert asking.receive(ACKNOWLEDGED_33 + HEARTBEAT_33 + REAL_HEARTBEAT) == []
    assert not asking.is_proven


def test_an_update_is_asked_for_as_tinytuya_does() -> None:
    asking = session("3.3")
    asking.query(AT)
    asking.beat()
    asking.data_to_send()
    asking.request_update()
    assert asking.data_to_send() == UPDATE_33


def test_a_frame_may_come_byte_by_byte() -> None:
    asking = session("3.3")
    got = [report for place in range(len(ANSWER_33)) for report in asking.receive(ANSWER_33[place : place + 1])]
    assert [json.loads(report.payload)["dps"] for report in got] == [DPS]


def test_frames_may_come_together() -> None:
    assert len(session("3.3").receive(ANSWER_33 + PUSH_33 + ANSWER_33)) == 3


def test_an_empty_acknowledgement_of_3_4_in_one_block_is_not_an_error() -> None:
    # tinytuya 1.20.0 reports error 900 here.
    shared = session_key(key("3.4"), OURS, THEIRS)
    asking = session("3.4")
    asking.start()
    asking.receive(ANSWERED_34)
    padding = encode_frame(shared, 9, TuyaCommand.UPDATE, b"", iv=IV)
    assert asking.receive(padding) == []


def test_a_command_of_3_1_is_signed_and_read_back() -> None:
    push = encode_frame(key("3.1"), 5, TuyaCommand.STATUS, b'{"dps":{"1":true}}', iv=IV)
    assert push[16:19] == b"3.1"
    frame = read_one(push, key("3.1"))
    assert frame is not None
    assert frame.payload == b'{"dps":{"1":true}}'


def test_a_wrong_key_and_a_busy_device_cannot_be_told_apart() -> None:
    asking = TuyaSession("meter", ID, key("3.3", b"fedcba9876543210"), random=randomness)
    with pytest.raises(
        UnexpectedReply, match="key or version= is wrong, or the device is busy with another client"
    ) as e:
        asking.receive(ANSWER_33)
    assert "fedcba" not in f"{e.value} {e.value.hint} {asking!r} {key('3.3')!r}"


@pytest.mark.parametrize("answered", [ANSWERED_34, ANSWERED_35])
def test_a_wrong_key_is_found_at_the_first_answer_of_a_session(answered: bytes) -> None:
    version = "3.4" if answered is ANSWERED_34 else "3.5"
    asking = TuyaSession("meter", ID, key(version, b"fedcba9876543210"), random=randomness)
    asking.start()
    with pytest.raises(UnexpectedReply, match="cannot be deciphered"):
        asking.receive(answered)


@pytest.mark.parametrize(
    ("version", "data", "words"),
    [
        ("3.5", ANSWER_33, "speaks version 3.4 or older, not 3.5"),
        ("3.3", ANSWER_35, "speaks version 3.5, not 3.3"),
        ("3.3", b"HTTP/1.1 400 Bad Request", "frames begin with 48545450"),
    ],
)
def test_another_version_or_another_device_is_named(version: str, data: bytes, words: str) -> None:
    with pytest.raises(UnexpectedReply, match=words):
        session(version).receive(data)


def test_a_wrong_sum_is_named_with_both_numbers() -> None:
    with pytest.raises(ChecksumError, match=r"CRC32 9530ea1b of a frame, expected [0-9a-f]{8}"):
        session("3.3").receive(ANSWER_33.replace(b"\x69\x2c\xbb", b"\x69\x2c\xbc"))


def test_a_frame_that_claims_megabytes_is_not_waited_for() -> None:
    head = bytes.fromhex("000055aa00000001 0000000a 00ffffff")
    with pytest.raises(UnexpectedReply, match=f"at most {MAX_FRAME_BYTES}"):
        session("3.3").receive(head)


def test_a_device_that_wants_its_data_points_named_is_asked_so() -> None:
    asking = session("3.3", points=(101, 103))
    # What such a device answers, enciphered as its answers are.
    refusal = encode_frame(key("3.3"), 1, TuyaCommand.QUERY, b"json obj data unvalid", iv=IV)
    assert asking.receive(refusal) == []
    asking.query(AT)
    frame = read_one(asking.data_to_send(), key("3.3"))
    assert frame is not None
    assert frame.command == TuyaCommand.CONTROL_NEW
    assert json.loads(frame.payload)["dps"] == {"101": None, "103": None}


def test_the_sequence_of_a_client_rises() -> None:
    asking = session("3.3")
    sequences = []
    for _ in range(3):
        asking.beat()
        sequences.append(int.from_bytes(asking.data_to_send()[4:8], "big"))
    assert sequences == [1, 2, 3]


@given(
    version=st.sampled_from(["3.1", "3.2", "3.3", "3.4", "3.5"]),
    command=st.sampled_from([TuyaCommand.STATUS, TuyaCommand.QUERY, TuyaCommand.CONTROL]),
    number=st.integers(0, 10**9),
)
def test_what_is_encoded_is_decoded(version: str, command: TuyaCommand, number: int) -> None:
    payload = f'{{"dps":{{"1":{number}}}}}'.encode()
    frame = read_one(encode_frame(key(version), 7, command, payload, iv=IV), key(version))
    assert frame is not None
    assert (frame.sequence, frame.command, frame.payload) == (7, command, payload)


@given(
    version=st.sampled_from(["3.1", "3.2", "3.3", "3.4", "3.5"]),
    good=st.sampled_from([ANSWER_33, PUSH_33, ANSWERED_34, ANSWERED_35, ANSWER_35, HEARTBEAT_33]),
    place=st.integers(0, 90),
    junk=st.binary(max_size=40),
)
def test_damaged_bytes_make_an_error_of_ours_or_nothing(version: str, good: bytes, place: int, junk: bytes) -> None:
    asking = session(version)
    asking.start()
    with suppress(LinkError):
        asking.receive(good[:place] + junk + good[place + len(junk) :])
