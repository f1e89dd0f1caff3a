"""The code cipher, against published words and against another program under many keys."""

from __future__ import annotations

import hashlib
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattrail.errors import ImageError
from wattrail.image import TUYA_KEY, ZERO_KEY, CodeKey, crypt, detect_key
from wattrail.image.code import looks_like_code

WORDS = st.integers(0, 0xFFFFFFFF)
KEYS = st.builds(CodeKey, WORDS, WORDS, WORDS, WORDS)


@pytest.mark.parametrize(
    ("address", "word"),
    [(0x0, 0x7CB50721), (0x4, 0x7CB50F21), (0x10000, 0x7EB50721), (0x10004, 0x7EB50F21), (0x1ABCDC, 0xACD51BD0)],
)
def test_the_keystream_has_its_known_words(address: int, word: int) -> None:
    assert crypt(bytes(4), TUYA_KEY, address) == word.to_bytes(4, "little")


def test_the_first_words_of_every_tuya_app_decipher_to_arm_vectors() -> None:
    start = bytes.fromhex("2f07b59435ff2a9b")
    assert crypt(start, TUYA_KEY, 0x10000) == bytes.fromhex("0e0000ea14f09fe5")


@pytest.mark.parametrize(
    ("stored", "plain"), [("690cb59635ff2a99", "480b00ea14f09fe5"), ("4309b59635ff2a99", "620e00ea14f09fe5")]
)
def test_the_first_words_of_both_bootloaders_decipher_at_0(stored: str, plain: str) -> None:
    assert crypt(bytes.fromhex(stored), TUYA_KEY, 0) == bytes.fromhex(plain)
    assert detect_key(bytes.fromhex(stored), 0) is TUYA_KEY
    assert detect_key(bytes.fromhex(stored), 0x10000) is None
    assert detect_key(bytes.fromhex(plain), 0) is ZERO_KEY


def test_all_parts_of_the_cipher_agree_with_another_program() -> None:
    """SHA-256 over 200 keys, as ltchiptool 4.15.0 (BekenBinary.crypt) enciphers them.

    Keys it cannot work with (bits 12:11 of c3 are 0: it divides by zero) are left out. bk7231tools 2.1.2 lets bit 16 of
    its pn16 term leak into the upper half, against the hardware description that both quote.
    """
    digest = hashlib.sha256()
    for key, address, code in random_keys(200):
        digest.update(crypt(code, key, address))
    assert digest.hexdigest() == "dd6292c68ecd53565e81d0602222a39d900c21e08cc46934ed24fde1cff157cc"


def random_keys(count: int) -> list[tuple[CodeKey, int, bytes]]:
    chance = random.Random(5)
    found = []
    while len(found) < count:
        words = [chance.getrandbits(32) for _ in range(4)]
        address, code = chance.randrange(0, 1 << 21) * 32, chance.randbytes(64)
        if words[3] >> 11 & 3:
            found.append((CodeKey(*words), address, code))
    return found


@given(st.binary(max_size=200), KEYS, st.integers(0, 1 << 22))
def test_enciphering_twice_is_deciphering(code: bytes, key: CodeKey, word: int) -> None:
    assert crypt(crypt(code, key, word * 4), key, word * 4) == code


@given(st.binary(min_size=8, max_size=200), KEYS, st.integers(1, 49))
def test_code_can_be_deciphered_in_pieces(code: bytes, key: CodeKey, at: int) -> None:
    at = min(at, len(code) // 4) * 4
    assert crypt(code[:at], key, 0x100) + crypt(code[at:], key, 0x100 + at) == crypt(code, key, 0x100)


@pytest.mark.parametrize("c3", [0x00000000, 0xFFADEB03, 0x0012FFF0, 0xC7ADEB0F])
def test_a_key_that_is_not_a_key_leaves_code_alone(c3: int) -> None:
    key = CodeKey(0x510FB093, 0xA3CBEADC, 0x5993A17E, c3)
    assert key.bypassed
    assert crypt(b"wattrail", key, 0x10000) == b"wattrail"


@pytest.mark.parametrize("address", [1, 2, 0x10002, -4, 1 << 32])
def test_an_address_is_that_of_a_word(address: int) -> None:
    with pytest.raises(ValueError, match="multiple of 4 within 32 bits"):
        crypt(bytes(4), TUYA_KEY, address)


def test_a_key_is_named_or_written_in_hexadecimal() -> None:
    assert CodeKey.parse("Tuya") == CodeKey.parse("510fb093a3cbeadc5993a17ec7adeb03") == TUYA_KEY
    assert CodeKey.parse("zero").name == "zero"
    assert CodeKey(1, 2, 3, 4).name == "00000001000000020000000300000004"
    assert CodeKey.parse(CodeKey(1, 2, 3, 4).name) == CodeKey(1, 2, 3, 4)
    for text in ("tuja", "510fb093", "xx" * 16):
        with pytest.raises(ImageError, match="neither 32 hexadecimal digits nor one of: tuya, zero"):
            CodeKey.parse(text)


@given(st.binary(max_size=16))
def test_any_bytes_are_code_or_not(data: bytes) -> None:
    assert looks_like_code(data) in (True, False)
    detect_key(data, 0x10000)
