"""Flash contents made of nothing but seeds: no byte of a vendor's firmware is in here.

Only the marks that recognition goes by are real: vectors, records of a bootloader, headers, and the checksum over its
first bytes, which four chosen bytes bring about.
"""

from __future__ import annotations

import random
import struct
import zlib
from functools import cached_property

from wattrail.bk7231 import APP_START
from wattrail.image import TUYA_KEY, Chip, CodeKey, add_rbl, code_key, crypt, pack
from wattrail.image.bootloader import KNOWN
from wattrail.image.convert import pack_with_rbl
from wattrail.image.layout import APP_CONTAINER, FLASH, LAYOUTS

VECTORS = bytes.fromhex("0e0000ea14f09fe5")
LOADER_VECTORS = {Chip.N: bytes.fromhex("480b00ea14f09fe5"), Chip.T: bytes.fromhex("620e00ea14f09fe5")}
VERSIONS = {Chip.N: b"BK7231N_1.0.1\0", Chip.T: b"BK7231S_1.0.5\0"}
TABLE_AT = {Chip.N: 0xE95C, Chip.T: 0xDC24}
MAC = bytes.fromhex("c8478c0102fe")


class Board:
    """A module of one chip with everything its flash holds."""

    def __init__(self, chip: Chip, *, key: CodeKey | None = None, seed: int = 1, says: bytes = b"") -> None:
        self.chip = chip
        self.key = key or code_key(chip)
        self.kind = Chip.N if chip in (Chip.N, Chip.M) else Chip.T
        self.is_bekens = chip not in (Chip.N, Chip.M, Chip.T)
        self._seed = seed
        self._says = b"\0" + says if says else b""

    @cached_property
    def code(self) -> bytes:
        """The app, plain; a whole number of blocks."""
        filling = random.Random(self._seed).randbytes(0x4FFF8 - 32 - len(self._says))
        return VECTORS + self._says + filling + b"\0" * 32

    @cached_property
    def loader(self) -> bytes:
        """The bootloader partition."""
        if self.is_bekens:
            return self._bekens_loader
        records = b"\xee\xbb\xaa\x10" + bytes(16) + b"\xee\xbb\xcc\x0e" + VERSIONS[self.kind]
        code = LOADER_VECTORS[self.kind].ljust(0x44, b"\0") + records
        code += random.Random(7).randbytes(0xF000 - len(code))
        stored = bytearray(crypt(code, self.key, 0))
        download = LAYOUTS[self.kind]["download"]
        entries = table(
            (b"bootloader", 0, 0x10000), (b"app", 0x10000, APP_CONTAINER), (b"download", download.start, 0xA6000)
        )
        at = TABLE_AT[self.kind]
        stored[at : at + len(entries)] = entries
        length, wanted = next((length, crc) for length, crc, chip, _ in KNOWN if chip is self.kind)
        if self.key == TUYA_KEY:
            _bring_about(stored, length, wanted)
        return pack_with_rbl(add_rbl(bytes(stored), 0x10000, name="bootloader", version="1.0"))

    @cached_property
    def _bekens_loader(self) -> bytes:
        """A loader of Beken's own: no records, a name and a version apart, the table of partitions at its end.

        So they are in OpenBeken's images for U, BK7238, BK7252 (where the loader says BK7251) and BK7252N (which says
        BK7238 before that). The one of Q's dump says nothing.
        """
        said = {Chip.U: b"BK7231u", Chip.BK7252: b"BK7251", Chip.BK7252N: b"BK7238\0\0BK7252N", Chip.Q: b""}
        name = said.get(self.chip, self.chip.value.encode())
        version = b"" if self.chip is Chip.Q else b"_1.0.15\0"
        code = LOADER_VECTORS[Chip.T].ljust(0x100, b"\0") + version.ljust(0x20, b"\0") + name.ljust(0x20, b"\0")
        code += bytes(n & 0x1F for n in random.Random(7).randbytes(0xD200 - len(code)))
        code += table((b"download", 0x132000, 0xAE000), (b"app", 0x10000, 0x110000), (b"bootloader", 0, 0x10000))
        return pack_with_rbl(add_rbl(code, 0xF000, name="bootloader", version="2M.1220")).ljust(APP_START, b"\xff")

    @cached_property
    def ua(self) -> bytes:
        """The app partition, up to its header."""
        length = 0x110000 if self.is_bekens else APP_CONTAINER
        return pack_with_rbl(add_rbl(crypt(self.code, self.key, 0x10000), length, version="1.2.3", timestamp=86400))

    @cached_property
    def qio(self) -> bytes:
        """Bootloader and app."""
        return self.loader + self.ua

    @cached_property
    def dump(self) -> bytes:
        """All of the flash."""
        flash = bytearray(self.qio.ljust(FLASH, b"\xff"))
        layout = LAYOUTS[self.chip]
        put(flash, layout["rf"].start, rf_block(first=0x4A if self.chip is Chip.Q else 0x5A))
        put(flash, layout["config"].start, b"CFG\x42" + struct.pack("<I", 5) + b"\0" * 100)
        put(
            flash,
            layout["tuya-key"].start,
            random.Random(3).randbytes(32) + bytes.fromhex("46dced0e672f3b70ae1276a3f8712e03"),
        )
        put(flash, layout["tuya-kv"].start, random.Random(4).randbytes(0x8000))
        return bytes(flash)

    @property
    def rotated(self) -> bytes:
        """The flash read from 0x11000 on until it wrapped."""
        return self.dump[0x11000:] + self.dump[:0x11000]


def table(*entries: tuple[bytes, int, int]) -> bytes:
    """A table of partitions as bootloaders hold it: name, logical offset, length."""
    return b"".join(
        struct.pack("<4s24s24sIII", b"01PE", name, b"beken_onchip_crc", offset, length, 0)
        for name, offset, length in entries
    )


def openbeken(chip: Chip, version: str = "1.18.300") -> bytes:
    """What every OpenBeken build holds: its name with its version, the repository's address, templates, log texts.

    Read in the public builds 1.17.203 to 1.18.302 for N, T, M, U, BK7238, BK7252 and BK7252N: all of them hold the
    address and the template below, whatever chip they are for, and those for M name themselves after N.
    """
    name = f"Open{Chip.N.value if chip is Chip.M else chip.value}"
    texts = (
        name, f"{name} {version} Aug  2 2026 19:38:04", f"{name}_{version}", f"{name}_%02X%02X%02X%02X",
        "OpenBK7231N_%02X%02X%02X%02X", "https://example.invalid/openshwprojects/OpenBK7231T_App/releases/latest",
        "mapped value %d (OpenBK7231T_App range) to %d", f"/{name}_.*.rbl/", "another build is OpenBK7231U_1.2.3",
    )  # fmt: skip
    return b"".join(text.encode() + b"\0" for text in texts)


def rf_block(mac: bytes = MAC, *, groups: int = 4, first: int = 0x5A) -> bytes:
    """The RF block as modules have it: groups of elements, the MAC address inside the first one.

    Tags, lengths and nesting are those of the blocks of 50 public dumps, total lengths 0x62 (one group), 0xC0 (two, on
    Q, whose first has 0x4A bytes) and 0x1F6 (four); the values are made up. An earlier version of this function was
    flat, like the decoder it tested, and both were wrong.
    """
    inner = [(0x11111101, b"\x4e\x61\xbc\0"), (0x11111102, mac)]
    inner += [(0x11111103 + n, bytes(4)) for n in range(4)] + [(0x11111107, bytes(8))] * (first == 0x5A)
    sizes = (0xB8, 0x84, 0x40) if first == 0x5A else (0x66,)
    body = _element(0x11111100, b"".join(_element(tag, value) for tag, value in inner))
    for number, size in enumerate(sizes[: groups - 1], 2):
        tag = 0x11111100 * number & 0xFFFFFF00
        body += _element(tag, _element(tag + 1, b"\x0f\0\0\0") + _element(tag + 2, bytes(size - 20)))
    return b"TLV\0" + struct.pack("<I", len(body)) + body


def _element(tag: int, value: bytes) -> bytes:
    return struct.pack("<II", tag, len(value)) + value


def put(flash: bytearray, at: int, data: bytes) -> None:
    flash[at : at + len(data)] = data


def damaged(data: bytes, at: int, bit: int = 1) -> bytes:
    return data[:at] + bytes((data[at] ^ bit,)) + data[at + 1 :]


def uf2(blocks: int, family: int = 0x7B3EF230) -> bytes:
    return b"".join(
        b"UF2\nWQ]\x9e"
        + struct.pack("<6I476sI", 0x2000, 256 * i, 256, i, blocks, family, bytes([i % 256]) * 256, 0x0AB16F30)
        for i in range(blocks)
    )


def libretiny_uf2(app: bytes, *, family: int = 0x7B3EF230, partition: bytes = b"app", at: int = 0x11000) -> bytes:
    """A build as LibreTiny packs it: a header of tags alone, what a flasher writes, what the device fetches itself.

    The layout is that of ltchiptool, byte for byte where tests/peers compares them; nothing here shares code with ours.
    """
    table = struct.pack("<4s16s16sII4x", b"01PE", partition, b"flash0", at, 0x119000)
    info = b"\x00\x01\x00" + partition + b"\0"
    blocks = [(0xA001, 0, b"", _tag(0xCA25C8, b"generic") + _tag(0x8288ED, table))]
    blocks += _blocks(app, _tag(0xC0EE0C, info))
    blocks += _blocks(b"an update for the device itself" * 20, _tag(0xC0EE0C, b"\x10\x00\x00download\0"))
    return b"".join(
        struct.pack(
            "<8s6I476sI", b"UF2\nWQ]\x9e", flags, address, len(data), i, len(blocks), family, data + tags, 0x0AB16F30
        )
        for i, (flags, address, data, tags) in enumerate(blocks)
    )


def _tag(kind: int, value: bytes) -> bytes:
    tag = bytes([4 + len(value)]) + kind.to_bytes(3, "little") + value
    return tag + bytes(-len(tag) % 4)


def _blocks(data: bytes, tags: bytes) -> list[tuple[int, int, bytes, bytes]]:
    return [(0x2000 if at else 0xA000, at, data[at : at + 256], b"" if at else tags) for at in range(0, len(data), 256)]


def _bring_about(stored: bytearray, length: int, wanted: int) -> None:
    """Choose four bytes of code so that the first bytes in flash have a wanted CRC-32."""
    at = length - 4
    block, inside = divmod(at, 34)
    if inside > 28:  # the four bytes would touch the block's own CRC: choose them before, and let the CRC be what it is
        raise AssertionError("choose another place")
    packed = pack(bytes(stored[: (block + 1) * 32]))
    logical = block * 32 + inside
    stored[logical : logical + 4] = _patch(packed[:at], wanted)


def _patch(before: bytes, wanted: int) -> bytes:
    """The four bytes that, after some others, give a CRC-32: the register is run backwards through them."""
    table = [_step(i) for i in range(256)]
    by_top = {entry >> 24: i for i, entry in enumerate(table)}
    register = wanted ^ 0xFFFFFFFF
    for _ in range(4):
        index = by_top[register >> 24]
        register = ((register ^ table[index]) << 8 | index) & 0xFFFFFFFF
    return (register ^ zlib.crc32(before) ^ 0xFFFFFFFF).to_bytes(4, "little")


def _step(value: int) -> int:
    for _ in range(8):
        value = value >> 1 ^ (0xEDB88320 if value & 1 else 0)
    return value
