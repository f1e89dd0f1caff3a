"""Inputs to begin with, and the words their formats are made of.

Most are valid, and small where the format allows it; the others once broke a promise, or are made to.
"""

from __future__ import annotations

import gzip
import io
import json
import struct
import zipfile
import zlib
from functools import cache

from tests.bootrom.golden import GOLDEN, REFUSALS
from tests.image.boards import Board, libretiny_uf2, rf_block, uf2
from wattrail.image import Chip, add_rbl, build_ota, code_key, crypt, pack, to_physical
from wattrail.image.convert import pack_with_rbl
from wattrail.image.rbl import HEADER, MAGIC, PACKED_HEADER, Compression, RblHeader
from wattrail.image.rf import MAGIC as RF_MAGIC
from wattrail.image.uf2 import MAGIC as UF2_MAGIC
from wattrail.image.ug import MAGIC as UG_MAGIC
from wattrail.image.ug import wrap
from wattrail.transport import SCHEMES

__all__ = [
    "FRAME_WORDS",
    "IMAGE_WORDS",
    "JSON_WORDS",
    "TOML_WORDS",
    "URL_WORDS",
    "archives",
    "calibrations",
    "captures",
    "configurations",
    "dumps",
    "flooded",
    "foreign_files",
    "images",
    "journals",
    "orders",
    "otas",
    "replies",
    "requests",
    "rf_blocks",
    "scenarios",
    "sounds",
    "uf2s",
    "ugs",
    "urls",
]

IMAGE_WORDS = (MAGIC, RF_MAGIC, UF2_MAGIC, UG_MAGIC, b"01PE", b"\xee\xbb\xcc\x0e", b"CFG", b"app\0", b"\xff" * 34)
FRAME_WORDS = (b"\x01\xe0\xfc", b"\x04\x0e", b"\x01\xe0\xfc\xff\xf4", b"\x04\x0e\xff\x01\xe0\xfc\xf4", b"\x55\xaa")
JSON_WORDS = (
    b"\n", b'"', b"{", b"}", b"[" * 64, b"null", b"true", b"-1", b"1e999", b"9" * 64, b"NaN", b'"\\ud800"',
    b'"\\u0000"', b'{"event": "begin"}\n', b'{"event": "done"}\n', b'"begin"', b'"done"', b'{"t": 1, "rx": ""}\n',
    b"\xef\xbb\xbf",
)  # fmt: skip
TOML_WORDS = (
    b"\n", b'"', b'"""', b"[", b"]]", b"{", b"[" * 64, b"=", b".", b"#", b"inf", b"-nan", b"1e999", b"9" * 64, b"0x",
    b"\\ud800", b"\\u0000", b"\x1b[31m", b"\r", b"[[meter]]\n", b"url = ", b"name = ", b"1979-05-27", b"\xef\xbb\xbf",
)  # fmt: skip
URL_WORDS = (
    b"://", b"?", b"&", b"=", b"of=", b"[", b"]", b":", b"%", b"%00", b"%zz", b"9" * 64, b"-1", b"1e999", b"nan",
    "\u0663".encode(), b"\xff", b"baud=", b"record:x?of=",
)  # fmt: skip


# ---- images


@cache
def _small_app(chip: Chip) -> bytes:
    """An app with its header, sealed for a partition of 8 KiB."""
    board = Board(chip)
    code = crypt(board.code[:0x1000], board.key, 0x10000)
    return pack_with_rbl(add_rbl(code, 0x2000, version="1.2.3", timestamp=86400))


@cache
def images() -> tuple[bytes, ...]:
    apps = {chip: _small_app(chip) for chip in (Chip.N, Chip.T, Chip.M)}
    plain = Board(Chip.N).code[:0x800] + b"OpenBK7231N"
    cut = (apps[Chip.N][5:4000], b"\xff" * 69632 + apps[Chip.T])
    whole = tuple(Board(chip).loader + app for chip, app in apps.items())
    return (*apps.values(), *whole, plain, crypt(plain, code_key(Chip.N), 0x10000), *cut, *ugs(), uf2s()[0], rf_block())


@cache
def dumps() -> tuple[bytes, ...]:
    return Board(Chip.N).dump, Board(Chip.T).rotated, Board(Chip.M).qio


@cache
def otas() -> tuple[bytes, ...]:
    code = Board(Chip.N).code[:3000]
    bomb = gzip.compress(bytes(8 << 20), mtime=0)
    lying = RblHeader(
        algo=Compression.GZIP << 8, raw_size=100, package_size=len(bomb), package_crc=zlib.crc32(bomb), version="bomb"
    )
    made = (build_ota(code, compress=small, encrypt=secret) for small in (True, False) for secret in (True, False))
    return (*made, lying.encode() + bomb)


@cache
def ugs() -> tuple[bytes, ...]:
    return tuple(wrap(package, "1.0.0") for package in otas())


@cache
def uf2s() -> tuple[bytes, ...]:
    return uf2(6), uf2(2, family=0x675A40B0), libretiny_uf2(bytes(700))


@cache
def archives() -> tuple[bytes, ...]:
    return tuple(_zip(method) for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2))


def _zip(method: int) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, data in (("rf.bin", rf_block()), ("readme.txt", b"read me")):
            archive.writestr(zipfile.ZipInfo(name), data, method)
    return buffer.getvalue()


@cache
def foreign_files() -> tuple[bytes, ...]:
    return (
        *archives(), gzip.compress(b"x", mtime=0), b":020000040000FA\n", b"S00300001CE0\n",
        b"<?xml version='1.0'?><html>",
        b'{"message": "Not Found"}', b"version https://git-lfs.github.com/spec/v1\n", b"AAECAwQFBgcICQoLDA0ODw==" * 8,
        struct.pack("<4BIII", 0xE9, 2, 2, 0x20, 0x40100004, 0x40100000, 4) + bytes(64),
    )  # fmt: skip


@cache
def rf_blocks() -> tuple[bytes, ...]:
    return rf_block(), rf_block().ljust(0x1000, b"\xff")


def fixed(data: bytes) -> bytes:
    """Damaged bytes with their checksums made right again, so that the damage gets past them."""
    result = bytearray(data)
    if data.startswith(UG_MAGIC) and len(data) >= 32 + HEADER:
        result[32:] = _fixed_header(data[32:])
        result[20:24] = (sum(result[32:]) & 0xFFFF_FFFF).to_bytes(4, "big")
        result[24:28] = sum(result[:24]).to_bytes(4, "big")
    elif data.startswith(MAGIC):
        result[:] = _fixed_header(data)
    elif len(data) < 1 << 17:
        _fix_flash(result)
    return bytes(result)


def _fixed_header(data: bytes) -> bytes:
    if len(data) < HEADER:
        return data
    (size,) = struct.unpack_from("<I", data, HEADER - 8)
    package = zlib.crc32(data[HEADER : HEADER + size]).to_bytes(4, "little")
    head = data[: HEADER - 20] + package + data[HEADER - 16 : HEADER - 4]
    return head + zlib.crc32(head).to_bytes(4, "little") + data[HEADER:]


def _fix_flash(flash: bytearray) -> None:
    """Every block CRC, and that of every header between them."""
    at = flash.find(MAGIC)
    for _ in range(8):
        header = bytes(flash[at : at + PACKED_HEADER])
        if at < 0 or len(header) < PACKED_HEADER:
            break
        plain = b"".join(header[i : i + 32] for i in (0, 34, 68))[: HEADER - 4]
        flash[at : at + PACKED_HEADER] = pack(plain + zlib.crc32(plain).to_bytes(4, "little"))
        at = flash.find(MAGIC, at + 1)
    whole = len(flash) // 34
    code = b"".join(bytes(flash[i * 34 : i * 34 + 32]) for i in range(whole))
    flash[: to_physical(len(code))] = pack(code, keep_blank=True)


# ---- frames


@cache
def requests() -> tuple[bytes, ...]:
    return tuple(bytes.fromhex(row[3]) for row in GOLDEN)


@cache
def orders() -> tuple[bytes, ...]:
    """Requests, and such as a chip must not carry out: at guarded places, and longer than they may be."""
    guarded = ("06 00 0F 20 00 10 00 00", "06 00 0F D8 00 00 00 80", "08 00 06 00 10 00 00 01 02 03")
    head = "01 E0 FC FF F4 "
    write = bytes.fromhex(head + "05 10 07 00 10 00 00") + bytes(4096)
    endless = bytes.fromhex(head + "06 10 07 00 10 01 00") + bytes(9000)
    return (*requests(), *(bytes.fromhex(head + order) for order in guarded), write, endless)


@cache
def flooded() -> tuple[bytes, ...]:
    """Replies, and more noise than any link keeps."""
    return (*replies(), b"\x55\xaa" * 12_000)


@cache
def replies() -> tuple[bytes, ...]:
    return tuple(bytes.fromhex(row[4]) for row in GOLDEN if row[4]) + tuple(bytes.fromhex(row[3]) for row in REFUSALS)


@cache
def sounds() -> tuple[bytes, ...]:
    return (
        bytes.fromhex("04 0E 05 01 E0 FC 01 00") * 3,
        bytes.fromhex("01 E0 FC 01 00") * 12,
        bytes.fromhex("55 AA 00 00 00 00 FF") * 3,
        bytes.fromhex("55 AA 03 07 00 08 05 02 00 04 00 00 00 1E 3A"),
        bytes.fromhex("55 93 22 00 7F 21 3B 11 22 00 FE FF FF 01 00 00 26 4E 00 08 00 00 46"),
        b"\r\nV:BK7231N_1.0.1\r\nCPSR:000000D3\r\nJ 0x10000\r\nInfo:MAIN:Time 5, idle 0/s, free 77000, MQTT\r\n",
    )


# ---- texts


@cache
def journals() -> tuple[bytes, ...]:
    begin = {
        "event": "begin", "at": "2026-06-21T00:00:00Z", "version": 1, "board": "bk7231n-1560eb-00000001",
        "chip": "BK7231N", "flash_id": 0x1560EB, "rf": [1, 1], "sr": 0x4004, "image": "a.bin", "sha256": "00",
        "backup": "/boards/backup-20260621T000000Z.bin", "simulated": True,
    }  # fmt: skip
    touching = {"event": "touching", "at": "2026-06-21T00:00:00Z", "start": 0x11000, "length": 0x1000}
    lines = [json.dumps(entry).encode() + b"\n" for entry in (begin, touching, {"event": "done", "at": "2026"})]
    hard = (b'{"event": "begin"}\n', b"[" * 5000 + b"\n", lines[0].replace(b"backup-", b"b" * 5000))
    return b"".join(lines), b"".join(lines[:2]), lines[0] + lines[0] + lines[1], *hard


@cache
def captures() -> tuple[bytes, ...]:
    header = (
        b'{"format": "wattrail-capture", "version": 1, "kind": "uart", "url": "serial:///dev/ttyUSB0",'
        b' "started": "2026-06-21T00:00:00+00:00", "simulated": false, "wattrail": "0.1.0"}\n'
    )
    events = (
        b'{"t": 0.0, "tx": "58 AA"}', b'{"t": 0.1, "rx": "55 01"}', b'{"t": 0.2, "drained": "00"}',
        b'{"t": 0.3, "baud": 9600}', b'{"t": 0.4, "lines": {"dtr": true, "rts": null}}',
        b'{"t": 0.5, "mosi": "58 03", "miso": null}',
    )  # fmt: skip
    whole = header + b"\n".join(events) + b"\n"
    hard = (whole + b"[" * 5000, header + b'{"t": 1' + b"0" * 400 + b', "rx": ""}\n')
    return whole, header.replace(b"uart", b"spi") + events[-1] + b"\n", *hard


@cache
def configurations() -> tuple[bytes, ...]:
    whole = (
        b'[[meter]]\nname = "a"\nurl = "twin://pziot-e01"\npoll_s = 1\n[meter.calibration]\ncounts_per_volt = 15882.9\n'
        b'counts_per_amp = 251213.0\ncounts_per_watt = 623.0\n[store]\npath = "m.sqlite"\n'
        b'[web]\nhost = "::1"\nport = 80\n[site]\ntimezone = "Europe/Berlin"\n[safety]\nconfirmed = "isolated"\n'
    )
    digits = b"9" * 5000
    return whole, b"a = " + b"[" * 3000, b"[web]\nport = " + digits, whole + b"\x1b[31m = 1", b"\xff\xfe"


@cache
def scenarios() -> tuple[bytes, ...]:
    whole = (
        b'title = "x"\n[mains]\nvolts = 230\nharmonics = [{ order = 3, percent = 2 }]\n[[loads]]\nname = "kettle"\n'
        b'watts = 2000\nat = ["07:30"]\nminutes = 3\n[[sources]]\nname = "roof"\nwatts = 5000\nsunrise = "06:00"\n'
    )
    return whole, b"[mains]\nvolts = " + b"9" * 400, b"[mains]\nvolts = inf\n", b"loads = 1"


@cache
def calibrations() -> tuple[bytes, ...]:
    scale = {"counts_per_volt": 15882.9, "counts_per_amp": 251213.0, "counts_per_watt": 623.0, "inverted": False}
    one = {"number": 1, "meter": "bench", "simulated": False, "turns": 1, "calibration": scale, "evidence": {}}
    whole = json.dumps({"format": "wattrail calibrations 1", "calibrations": [one]}).encode()
    huge = (
        whole.replace(b"15882.9", digits)
        for digits in (b"9" * 400, b"9" * 5000, b"1e300", b"Infinity", b'"x"', b"true")
    )
    return whole, *huge, b"[]", b"[" * 3000


@cache
def urls() -> tuple[bytes, ...]:
    more = ("rfc2217://[fe80::1]:2217", "replay:captures/a%20day.jsonl?pace=real", "twin://bk7231n?seed=7")
    return tuple(text.encode() for text in (*(scheme.example for scheme in SCHEMES.values()), *more))
