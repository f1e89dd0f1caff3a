from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattrail.transport.capture import (
    BaudSet,
    BusTransfer,
    Drained,
    Event,
    Header,
    LinesSet,
    PageAnswered,
    Received,
    Sent,
    TopicPublished,
    decode_event,
    decode_header,
    encode_event,
    encode_header,
)

PAGE = Path(__file__).parents[2] / "docs" / "protocols" / "captures.md"
HEADER = Header("uart", "serial:///dev/ttyUSB0?baud=4800", datetime(2026, 6, 21, tzinfo=UTC), False, "0.1.0")

moments = st.integers(0, 10**12).map(lambda micros: micros / 1e6)
lines = st.none() | st.booleans()
events = st.one_of(
    st.builds(Sent, moments, st.binary()),
    st.builds(Received, moments, st.binary()),
    st.builds(Drained, moments, st.binary()),
    st.builds(BaudSet, moments, st.integers(1, 10**7)),
    st.builds(LinesSet, moments, lines, lines),
    st.builds(lambda at, mosi: BusTransfer(at, mosi, bytes(len(mosi))), moments, st.binary()),
    st.builds(lambda at, mosi: BusTransfer(at, mosi, None), moments, st.binary()),
    st.builds(PageAnswered, moments, st.text(), st.integers(100, 599), st.binary()),
    st.builds(TopicPublished, moments, st.text(), st.binary(), st.booleans()),
)


@given(events)
def test_an_event_survives_its_line(event: Event) -> None:
    assert decode_event(encode_event(event)) == event


def test_a_header_survives_its_line() -> None:
    assert decode_header(encode_header(HEADER)) == HEADER


def test_the_documented_lines_are_what_is_written() -> None:
    page = PAGE.read_text(encoding="utf-8")
    (header,) = re.findall(r"```json\n(.*)\n```", page)
    assert encode_header(HEADER) == header
    documented = re.findall(r"`(\{\"t\".*?\})`", page)
    assert len(documented) == 10
    assert [encode_event(decode_event(line)) for line in documented] == documented


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"format": "pcap"}, "not a wattrail-capture header"),
        ({"version": 2}, "version 2 of the format, this program knows 1"),
        ({"kind": "can"}, "kind 'can', expected one of uart, spi"),
        ({"simulated": "no"}, "simulated is 'no', expected bool"),
        ({"started": "yesterday"}, "Invalid isoformat"),
    ],
)
def test_a_header_that_is_not_ours_is_named(change: dict[str, object], complaint: str) -> None:
    fields = json.loads(encode_header(HEADER)) | change
    with pytest.raises(ValueError, match=complaint):
        decode_header(json.dumps(fields))


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ('{"t": 0.1, "tx": "5', "unterminated string"),
        ("[1, 2]", "not a JSON object"),
        ('{"tx": "58"}', "t is None"),
        ('{"t": -1, "tx": "58"}', "t is -1"),
        ('{"t": NaN, "tx": "58"}', "NaN is not a finite number"),
        ('{"t": 1e400, "tx": "58"}', "1e400 is not a finite number"),
        ('{"t": 1' + "0" * 5000 + ', "tx": "58"}', "a whole number has too many digits"),
        ('{"t": 0, "tx": "\\ud800"}', "half of a surrogate pair"),
        ('{"t": true, "tx": "58"}', "t is True"),
        ('{"t": 1' + "0" * 400 + ', "tx": "58"}', "expected seconds since the start"),
        ('{"t": ' + "[" * 100_000, "nested deeper than 64 levels"),
        ('{"t": 0, "tx": ' + "[" * 70 + "]" * 70 + "}", "nested deeper than 64 levels"),
        ('{"t": 0}', "no event has the fields none"),
        ('{"t": 0, "tx": "58", "rx": "00"}', "no event has the fields rx, tx"),
        ('{"t": 0, "tx": "5G"}', "tx is '5G', expected bytes in hexadecimal"),
        ('{"t": 0, "tx": 88}', "tx is 88, expected str"),
        ('{"t": 0, "baud": true}', "baud is True, expected int"),
        ('{"t": 0, "lines": {"dtr": true}}', "lines must hold dtr and rts"),
        ('{"t": 0, "lines": {"dtr": 1, "rts": null}}', "lines are true, false or null"),
        ('{"t": 0, "mosi": "58 03", "miso": "00"}', "2 bytes out and 1 in"),
    ],
)
def test_a_malformed_event_is_named(line: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint) as caught:
        decode_event(line)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 300
