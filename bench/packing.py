"""Block CRCs, the code cipher and update containers in megabytes a second, beside the usual programs where they are
installed (pip install bk7231tools ltchiptool)."""

from __future__ import annotations

import importlib
import io
import random
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from bench.table import Row, text
from wattrail.image import TUYA_KEY, build_ota, crypt, open_ota, pack, recognise, unpack
from wattrail.image.code import CodeKey

GOAL = 30.0

OURS_BYTES, PEER_BYTES = 1 << 20, 1 << 16
"""An app, and as much of one as a slow peer gets through in a second."""

_KEY_TEXT = "510fb093a3cbeadc5993a17ec7adeb03"
_OTA_KEY, _OTA_IV = "0123456789ABCDEF0123456789ABCDEF", "0123456789ABCDEF"


@dataclass(frozen=True, slots=True)
class Speed:
    """Megabytes a second, ours and that of the fastest peer; None where none is installed."""

    what: str
    ours: float
    peer: float | None = None
    peer_name: str = ""
    goal: float | None = None

    @property
    def ratio(self) -> float | None:
        return self.ours / self.peer if self.peer else None


def measure() -> list[Speed]:
    """Each job on random code, ours on 1 MiB, a peer's on less; the best of a few turns."""
    code = random.Random(1).randbytes(OURS_BYTES)
    packed, update = pack(code), build_ota(code)
    peers = _peers(code[:PEER_BYTES])
    jobs: tuple[tuple[str, str, Callable[[], object], float | None], ...] = (
        ("adding block CRCs", "pack", lambda: pack(code), GOAL),
        ("checking and removing them", "unpack", lambda: unpack(packed), GOAL),
        ("code cipher, Tuya's key", "crypt", lambda: crypt(code, TUYA_KEY, 0x10000), GOAL),
        ("code cipher, all terms", "crypt all", lambda: crypt(code, CodeKey(1, 2, 3, 0x12340800), 0x10000), GOAL),
        ("building an update (gzip, AES)", "build", lambda: build_ota(code), None),
        ("opening and checking it", "open", lambda: open_ota(update), None),
        ("recognising an app of 1 MiB", "recognise", lambda: recognise(packed), None),
    )
    return [
        Speed(what, _speed(job, OURS_BYTES), *_best(peers.get(name, ()), PEER_BYTES), goal)
        for what, name, job, goal in jobs
    ]


def rows() -> list[Row]:
    return [
        Row(
            f"images: {speed.what}",
            f"{speed.ours:,.1f} MB/s",
            f"{speed.peer:,.2f} MB/s, {speed.peer_name}"
            if speed.peer
            else "not installed here"
            if speed.goal
            else "nothing comparable",
            f"{speed.ratio:,.0f}" if speed.ratio else "",
            f"{speed.goal:.0f} times" if speed.goal else "",
            speed.ratio >= speed.goal if speed.goal and speed.ratio else None,
        )
        for speed in measure()
    ]


def _speed(job: Callable[[], object], size: int, turns: int = 3) -> float:
    """Megabytes a second in the best of a few turns, after one that warms up."""
    took = []
    for _ in range(turns + 1):
        began = time.perf_counter()
        job()
        took.append(time.perf_counter() - began)
    return size / 1e6 / min(took[1:])


def _best(jobs: Iterable[tuple[str, Callable[[], object]]], size: int) -> tuple[float | None, str]:
    found = [(_speed(job, size, turns=1), name) for name, job in jobs]
    return max(found, default=(None, ""))


def _peers(code: bytes) -> dict[str, list[tuple[str, Callable[[], object]]]]:
    """What other programs have for the same jobs."""
    found: dict[str, list[tuple[str, Callable[[], object]]]] = {}
    for add in (_bk7231tools, _ltchiptool):
        try:
            add(code, found)
        except ImportError:
            continue
    return found


def _bk7231tools(code: bytes, found: dict[str, list[tuple[str, Callable[[], object]]]]) -> None:
    crc16: Any = importlib.import_module("bk7231tools.analysis.crc16").crc16
    cipher_class: Any = importlib.import_module("bk7231tools.crypto.code").BekenCodeCipher
    packed = pack(code)

    def add_crcs() -> bytes:
        blocks = (code[at : at + 32] for at in range(0, len(code), 32))
        return b"".join(block + crc16(block, 0xFFFF).to_bytes(2, "big") for block in blocks)

    def check_crcs() -> bytes:
        blocks = (packed[at : at + 34] for at in range(0, len(packed), 34))
        return b"".join(
            block[:32] for block in blocks if crc16(block[:32], 0xFFFF) == int.from_bytes(block[32:], "big")
        )

    name = "bk7231tools"
    tuya, other = cipher_class((0x510FB093, 0xA3CBEADC, 0x5993A17E, 0xC7ADEB03)), cipher_class((1, 2, 3, 0x12340800))
    found.setdefault("pack", []).append((name, add_crcs))
    found.setdefault("unpack", []).append((name, check_crcs))
    found.setdefault("crypt", []).append((name, lambda: tuya.encrypt(code, 0x10000)))
    found.setdefault("crypt all", []).append((name, lambda: other.encrypt(code, 0x10000)))


def _ltchiptool(code: bytes, found: dict[str, list[tuple[str, Callable[[], object]]]]) -> None:
    beken: Any = importlib.import_module("ltchiptool.soc.bk72xx.util")
    tool, other = beken.BekenBinary(_KEY_TEXT), beken.BekenBinary("00000001000000020000000312340800")
    packed = pack(code)

    def header(**fields: int) -> object:
        return beken.RBL(encryption=beken.OTAEncryption.AES256, compression=beken.OTACompression.GZIP, **fields)

    def build() -> bytes:
        return b"".join(tool.ota_package(io.BytesIO(code), header(timestamp=0), key=_OTA_KEY, iv=_OTA_IV))

    package = build()[96:]

    def open_() -> bytes:
        return b"".join(tool.ota_unpackage(io.BytesIO(package), header(), key=_OTA_KEY, iv=_OTA_IV))

    for job, work in {
        "pack": lambda: b"".join(tool.crc(code)),
        "unpack": lambda: b"".join(tool.uncrc(packed)),
        "crypt": lambda: b"".join(tool.crypt(0x10000, code)),
        "crypt all": lambda: b"".join(other.crypt(0x10000, code)),
        "build": build,
        "open": open_,
    }.items():
        name = "ltchiptool, which checks nothing" if job == "open" else "ltchiptool"
        found.setdefault(job, []).append((name, work))


if __name__ == "__main__":
    print(text(rows()))
