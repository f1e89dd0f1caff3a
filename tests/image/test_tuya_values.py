"""Values of the storage: JSON, what is nearly JSON, text, and bytes that are none of these."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.image.stock_storage import spelt
from wattrail.image.tuya_values import parse_lenient, parse_value


@pytest.mark.parametrize(
    ("stored", "value"),
    [
        (b'{"baud":9600}', {"baud": 9600}),
        (b"{baud:9600,}", {"baud": 9600}),
        (b"{{baud:9600}", {"baud": 9600}),
        (b"{baud:9600", {"baud": 9600}),
        (b"{module:CB2S,jv:1.0.1,off:00ff,}", {"module": "CB2S", "jv": "1.0.1", "off": "00ff"}),
        (b"{tempmix:[[T27,000,3e8],[T30,202]],crc:7,}", {"tempmix": [["T27", "000", "3e8"], ["T30", 202]], "crc": 7}),
        (b"{empty:,next:1}", {"empty": None, "next": 1}),
        (b'{"a b":"c:d,e"}', {"a b": "c:d,e"}),
        (b"true", True),
        (b"bk7231n\0\0", "bk7231n"),
        (b"plain text: with, signs", "plain text: with, signs"),
        (b"\xff\x00", "ff00"),
        (b"\x01\x02", "0102"),
        (b"", ""),
        (b'{"huge":1e999}', {"huge": "1e999"}),
        (b'{"no":NaN}', {"no": "NaN"}),
    ],
)  # fmt: skip
def test_a_value_is_what_it_stands_for(stored: bytes, value: object) -> None:
    assert parse_value(stored) == value


@pytest.mark.parametrize("stored", [b"[" * 50_000, b'{"a":' * 20_000, b"{a:[" * 20_000])
def test_a_value_nested_too_deep_stays_text(stored: bytes) -> None:
    assert parse_value(stored) == stored.decode()


words = st.text("abcdefgh_", min_size=1, max_size=8)
scalars = st.integers(-(10**9), 10**9) | words
trees = st.recursive(scalars, lambda inner: st.dictionaries(words, inner, min_size=1) | st.lists(inner), max_leaves=12)


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(words, trees, min_size=1, max_size=8))
def test_what_firmware_spells_without_quotes_is_read_the_same(value: dict[str, object]) -> None:
    assert parse_lenient(spelt(value)) == value
    assert parse_value(json.dumps(value).encode()) == value


@settings(max_examples=300, deadline=None)
@given(st.text('{}[]:,"\\ab0 ', max_size=200))
def test_any_text_is_read_as_something(text: str) -> None:
    json.dumps(parse_value(text.encode()), allow_nan=False)
