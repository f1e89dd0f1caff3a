"""Every decoder of bytes that come from outside, with valid inputs to begin from. One line a target.

A target takes any bytes and raises only where a promise is broken: a crash instead of one of the project's own errors,
a size beyond its cap, a change of flash that nobody asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product
from types import MappingProxyType
from typing import Final

from tests.fuzz import boards, chips, databases, frames, images, network, seeds, stock, texts

__all__ = ["TARGETS", "Target"]

Seeds = Callable[[], Sequence[bytes]]


@dataclass(frozen=True, slots=True)
class Target:
    """One decoder. ``most_bytes`` it is given at once; ``words`` its format is made of; ``fix`` rights checksums.

    ``weight`` is how much slower than a usual one it is.
    """

    function: Callable[[bytes], None]
    seeds: Seeds
    most_bytes: int
    words: Sequence[bytes] = ()
    fix: Callable[[bytes], bytes] | None = None
    weight: int = 1


def _led_by(leads: Sequence[bytes], bodies: Seeds) -> Seeds:
    """Seeds for a target whose first bytes choose how it is set up."""
    return cache(lambda: tuple(lead + body for lead, body in product(leads, bodies())))


_LINKS: Final = [bytes((row, 7)) for row in range(17)]
_TRAFFIC: Final = [b"\x00\x08", b"\x01\x00", b"\x04\x05"]
_RECEIVERS: Final = [b"\x00\x09", b"\x01\x09", b"\x01\xff"]
_CHIPS: Final = [bytes((how,)) for how in (0x40, 0x41, 0x42, 0x50, 0x51, 0x52, 0x60, 0x00)]
_SAYINGS: Final = [bytes((how,)) + b"BK7231S_1.0.5".ljust(68) for how in (0x7D, 0x1C, 0x61)]
_EFUSES: Final = [bytes.fromhex("00 00 00 00 00 01 00 00") * 8]
_MID, _MIB = 1 << 17, 1 << 20
_SQLITE: Final = [b"SQLite format 3\0", bytes((0x0D, 0, 0, 0)), bytes((0x0A, 0, 0, 0)), bytes((5, 0, 0, 0)), b"entry"]
_IMAGES, _FRAMES, _JSON, _URLS = seeds.IMAGE_WORDS, seeds.FRAME_WORDS, seeds.JSON_WORDS, seeds.URL_WORDS

# fmt: off
TARGETS: Final[Mapping[str, Target]] = MappingProxyType({
    "image":       Target(images.recognition, seeds.images, _MID, _IMAGES, seeds.fixed, weight=4),
    "dump":        Target(images.recognition, seeds.dumps, 3 * _MIB, _IMAGES, weight=30),
    "conversion":  Target(images.conversions, seeds.images, _MID, _IMAGES, seeds.fixed, weight=12),
    "ota":         Target(images.ota, seeds.otas, _MID, _IMAGES, seeds.fixed),
    "ug":          Target(images.ug, seeds.ugs, _MID, _IMAGES, seeds.fixed),
    "uf2":         Target(images.uf2, seeds.uf2s, _MID, _IMAGES),
    "foreign":     Target(images.foreign, seeds.foreign_files, 1 << 13, _IMAGES),
    "zip":         Target(images.archive, seeds.archives, 1 << 13, _IMAGES, weight=4),
    "rf":          Target(images.rf, seeds.rf_blocks, 1 << 13, _IMAGES),
    "packing":     Target(images.packing, seeds.images, _MID, _IMAGES, seeds.fixed, weight=4),
    "bootloader":  Target(images.bootloader, seeds.images, _MID, _IMAGES, seeds.fixed),
    "code-key":    Target(images.code_keys, seeds.images, 64, _IMAGES),
    "storage":     Target(stock.stored, stock.sectors, 1 << 14, _IMAGES, stock.fixed_storage, weight=2),
    "licence":     Target(stock.licensed, stock.licences, 1 << 13, _IMAGES),
    "inspection":  Target(stock.inspected, stock.areas, _MID, _IMAGES, weight=8),
    "stock-dump":  Target(stock.inspected, stock.stock_dumps, 3 * _MIB, _IMAGES, weight=40),
    "file-system": Target(stock.files, stock.file_systems, _MID, (b"littlefs", *_IMAGES), stock.fixed_files, weight=2),
    "stored-value": Target(stock.value, stock.values, 1 << 13, stock.VALUE_WORDS),
    "frame":       Target(frames.frame, seeds.replies, 1 << 14, _FRAMES),
    "boot-link":   Target(frames.boot_link, _led_by(_LINKS, seeds.flooded), 1 << 15, _FRAMES, weight=2),
    "evidence":    Target(frames.evidence, lambda: _SAYINGS, 80),
    "efuse":       Target(frames.efuse, lambda: _EFUSES, 512),
    "line-report": Target(frames.line_report, _led_by(_TRAFFIC, seeds.sounds), 1 << 15, _FRAMES, weight=2),
    "receiver":    Target(frames.receiver, _led_by(_RECEIVERS, seeds.orders), 1 << 14, _FRAMES),
    "chip":        Target(chips.chip, _led_by(_CHIPS, seeds.orders), 1 << 14, _FRAMES, weight=2),
    "tuya":        Target(network.tuya, network.tuya_seeds, 1 << 12, network.WORDS, network.fixed, weight=2),
    "tuya-points": Target(network.tuya_points, network.tuya_reports, 1 << 12, _JSON),
    "journal":     Target(texts.journal, seeds.journals, 1 << 16, _JSON, weight=4),
    "capture":     Target(texts.capture, seeds.captures, 1 << 16, _JSON),
    "configuration": Target(texts.configuration, seeds.configurations, 1 << 14, seeds.TOML_WORDS, weight=8),
    "scenario":    Target(texts.scenario, seeds.scenarios, 1 << 14, seeds.TOML_WORDS, weight=4),
    "calibrations": Target(texts.calibrations, seeds.calibrations, 1 << 14, _JSON, weight=2),
    "database":    Target(databases.database, databases.files, _MID, _SQLITE, weight=40),
    "redaction":   Target(texts.redaction, seeds.urls, 1 << 11, _JSON, weight=8),
    "description": Target(boards.description, boards.descriptions, 1 << 14, boards.WORDS, weight=12),
    "board file":  Target(boards.board_file, boards.files, 1 << 13, seeds.TOML_WORDS, weight=8),
    "url":         Target(texts.url, seeds.urls, 1 << 13, _URLS),
})
# fmt: on
