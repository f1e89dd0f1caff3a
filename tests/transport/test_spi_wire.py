from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattrail.errors import UnexpectedReply
from wattrail.transport.spi_wire import (
    MAX_TRANSFER,
    REPLIES,
    REQUESTS,
    Configure,
    Configured,
    Decoder,
    Hello,
    Message,
    Refused,
    Select,
    Selected,
    Transfer,
    Transferred,
    encode,
)

PAGE = Path(__file__).parents[2] / "docs" / "protocols" / "spi-over-tcp.md"
EXAMPLE = [
    Hello(4096, simulated=False),
    Configure(1, 800_000),
    Configured(),
    Select(True),
    Transfer(bytes.fromhex("58 03 00 00 00 00")),
    Select(False),
    Selected(),
    Transferred(bytes.fromhex("FF FF 03 74 E1 4C")),
    Selected(),
]

blocks = st.binary(min_size=1, max_size=64)
requests = st.one_of(
    st.builds(Transfer, blocks),
    st.builds(Select, st.booleans()),
    st.builds(Configure, st.integers(0, 3), st.integers(1, 2**32 - 1)),
)
replies = st.one_of(
    st.builds(Hello, st.integers(0, 65535), st.booleans()),
    st.builds(Transferred, blocks),
    st.just(Selected()),
    st.just(Configured()),
    st.builds(Refused, st.text(max_size=60)),
)


def decode_all(decoder: Decoder, data: bytes, portion: int) -> list[Message]:
    found = []
    for start in range(0, len(data), portion):
        decoder.receive(data[start : start + portion])
        while (message := decoder.next_message()) is not None:
            found.append(message)
    return found


def test_the_documented_example_is_what_the_codec_speaks() -> None:
    lines = re.findall(r"^([SM])  ((?:[0-9A-F]{2} )+)", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert [bytes.fromhex(text) for _, text in lines] == [encode(message) for message in EXAMPLE]
    for side, kinds in (("S", REPLIES), ("M", REQUESTS)):
        said = [message for (who, _), message in zip(lines, EXAMPLE, strict=True) if who == side]
        data = b"".join(bytes.fromhex(text) for who, text in lines if who == side)
        assert decode_all(Decoder(kinds), data, len(data)) == said


@given(st.lists(requests, max_size=5), st.integers(1, 80))
def test_requests_come_back_in_whatever_portions_they_travel(messages: list[Message], portion: int) -> None:
    assert decode_all(Decoder(REQUESTS), b"".join(map(encode, messages)), portion) == messages


@given(st.lists(replies, max_size=5), st.integers(1, 80))
def test_replies_come_back_in_whatever_portions_they_travel(messages: list[Message], portion: int) -> None:
    assert decode_all(Decoder(REPLIES), b"".join(map(encode, messages)), portion) == messages


@given(st.binary(max_size=200), st.sampled_from([REQUESTS, REPLIES]))
def test_garbage_ends_in_a_named_error_or_in_waiting(junk: bytes, kinds: object) -> None:
    with suppress(UnexpectedReply):
        decode_all(Decoder(kinds), junk, 7)  # type: ignore[arg-type]


def test_a_stranger_is_recognised_by_its_first_byte() -> None:
    decoder = Decoder(REQUESTS)
    decoder.receive(b"G")
    with pytest.raises(UnexpectedReply, match="no message starts with 47"):
        decoder.next_message()


def test_trailing_junk_spoils_nothing_that_came_before_it() -> None:
    decoder = Decoder(REPLIES)
    decoder.receive(encode(Selected()) + b"junk")
    assert decoder.next_message() == Selected()
    with pytest.raises(UnexpectedReply):
        decoder.next_message()


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        ("01 00 00", "TRANSFER of 0 bytes"),
        ("01 10 01", "TRANSFER of 4097 bytes, allowed 1 to 4096"),
        ("02 00 02", "SELECT of 2 bytes"),
        ("02 00 01 07", "SELECT with 07"),
        ("03 00 05 04 00 00 00 01", "mode 4"),
        ("03 00 05 01 00 00 00 00", "0 Hz"),
    ],
)
def test_a_bad_request_is_named(data: str, complaint: str) -> None:
    decoder = Decoder(REQUESTS)
    decoder.receive(bytes.fromhex(data))
    with pytest.raises(UnexpectedReply, match=complaint):
        decoder.next_message()


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        ("80 00 08 57 53 50 58 01 00 10 00", "57 53 50 58, expected 57 53 50 49"),
        ("80 00 08 57 53 50 49 02 00 10 00", "version 2 of SPI over TCP, this program version 1"),
        ("FF 01 01", "REFUSED of 257 bytes"),
    ],
)
def test_a_bad_reply_is_named(data: str, complaint: str) -> None:
    decoder = Decoder(REPLIES)
    decoder.receive(bytes.fromhex(data))
    with pytest.raises(UnexpectedReply, match=complaint):
        decoder.next_message()


@pytest.mark.parametrize("length", [0, MAX_TRANSFER + 1])
def test_a_transfer_that_cannot_be_said_is_refused_before_it_is_sent(length: int) -> None:
    with pytest.raises(ValueError, match="1 to 4096"):
        encode(Transfer(bytes(length)))


def test_a_long_refusal_is_cut_not_sent_whole() -> None:
    assert len(encode(Refused("x" * 1000))) == 3 + 256
