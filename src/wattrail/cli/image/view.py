"""``wattrail image info`` and ``wattrail image diff``: images for people and for programs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from wattrail.cli.exits import Exit
from wattrail.cli.image.files import Source, load
from wattrail.cli.option_types import Json
from wattrail.image import Container, Difference, Image, ImageKind, PartitionDiff
from wattrail.image import diff as compare
from wattrail.image.layout import SECTOR

__all__ = ["diff", "info"]

_SECTORS_SHOWN = 8


def _lines(path: Path, image: Image) -> Iterator[str]:
    """What was recognised, a line each."""
    confidence = "" if image.kind is ImageKind.UNKNOWN else f", {image.confidence.value}"
    yield f"{path}: {image.kind.value}{confidence}; {len(image.data)} bytes"
    yield from (f"  {reason}" for reason in image.reasons)
    if image.chip is not None:
        unknown = "" if image.chip.is_flashable else "; wattrail does not flash this chip"
        yield f"chip: {image.chip.value}, {image.chip_confidence.value}{unknown}"
        yield from (f"  {reason}" for reason in image.chip_reasons)
    else:
        contradicts = "what it says contradicts itself" if image.chip_contradictions else "nothing in it says which"
        yield f"chip: {contradicts}"
        yield from (f"  {reason}" for reason in image.chip_reasons)
    yield from (f"  but: {reason}" for reason in image.chip_contradictions)
    if image.key is not None:
        yield f"code key: {image.key.name}"
    yield from _parts(image)
    yield from (f"problem: {problem}" for problem in image.problems)


def _parts(image: Image) -> Iterator[str]:
    if image.bootloader is not None and (image.bootloader.known_as or image.bootloader.version):
        yield f"bootloader: {image.bootloader.known_as or image.bootloader.version}"
    for container in image.containers:
        yield _container(container)
    if image.rf is not None:
        yield f"MAC address: {image.rf.mac or 'not in the RF block'}"
    yield from image.settings
    if image.uf2 is not None:
        yield f"UF2: {image.uf2.blocks} of {image.uf2.count} blocks, {image.uf2.payload} bytes for flash"
    if image.ranges:
        yield "partition     file      flash     bytes"
        yield from (f"  {r.name:<12}{r.offset:#08x}  {r.flash:#08x}  {r.length:8}" for r in image.ranges)


def _container(container: Container) -> str:
    header = container.header
    built = datetime.fromtimestamp(header.timestamp, UTC).date() if header.timestamp else "no date"
    return (
        f"RBL at {container.offset:#x}: {header.name} {header.version}, {built}, {header.raw_size} bytes, "
        f"compression {header.compression}, encryption {header.encryption}" + (", stale" if container.stale else "")
    )


def _as_json(path: Path, image: Image) -> str:
    """One JSON object; its fields are listed in docs/cli.md."""
    loader = image.bootloader
    return json.dumps(
        {
            "file": str(path),
            "bytes": len(image.data),
            "sha256": hashlib.sha256(image.data).hexdigest(),
            "kind": image.kind.value,
            "confidence": image.confidence.value,
            "reasons": image.reasons,
            "chip": image.chip.value if image.chip else None,
            "chip_confidence": image.chip_confidence.value,
            "chip_reasons": image.chip_reasons,
            "chip_contradictions": image.chip_contradictions,
            "flashable": image.chip.is_flashable if image.chip else None,
            "code_key": image.key.name if image.key else None,
            "bootloader": (loader.known_as or loader.version) if loader else None,
            "containers": [_container_object(container) for container in image.containers],
            "mac": image.rf.mac if image.rf else None,
            "settings": image.settings,
            "partitions": [
                {"name": r.name, "file_offset": r.offset, "flash_offset": r.flash, "bytes": r.length}
                for r in image.ranges
            ],
            "problems": [{"what": problem.what, "offset": problem.offset} for problem in image.problems],
        }
    )


def _container_object(container: Container) -> dict[str, object]:
    header = container.header
    return {
        "offset": container.offset,
        "packed": container.packed,
        "name": header.name,
        "version": header.version,
        "timestamp": header.timestamp,
        "compression": header.compression,
        "encryption": header.encryption,
        "raw_size": header.raw_size,
        "package_size": header.package_size,
        "faults": container.faults,
        "stale": container.stale,
        "updated_over_the_air": container.was_updated,
    }


def _difference_lines(found: Difference) -> Iterator[str]:
    """Where two images differ, a line each."""
    for part in found.partitions:
        yield f"{part.name:<12}{part.start:#08x}  {_verdict(part)}"
        for sector in part.sectors[:_SECTORS_SHOWN]:
            yield f"  sector {sector.offset:#08x}: {sector.count} bytes, first at {sector.first:#x}"
        if len(part.sectors) > _SECTORS_SHOWN:
            yield f"  and {len(part.sectors) - _SECTORS_SHOWN} more sectors"
    yield from found.only


def _verdict(part: PartitionDiff) -> str:
    if not part.sectors:
        return "same"
    of_all = f"{len(part.sectors)} of {(part.length + SECTOR - 1) // SECTOR} sectors differ, {part.count} bytes"
    return of_all + (" (differs from board to board)" if part.unique else "")


def _difference_as_json(found: Difference) -> str:
    """One JSON object; its fields are listed in docs/cli.md."""
    partitions = [
        {
            "name": part.name,
            "start": part.start,
            "bytes": part.length,
            "differing_bytes": part.count,
            "sectors": [{"offset": s.offset, "differing_bytes": s.count, "first": s.first} for s in part.sectors],
        }
        for part in found.partitions
    ]
    return json.dumps({"same": found.same, "partitions": partitions, "only": found.only})


def info(file: Source, *, json: Json = False) -> None:
    """Say what an image is, and what is wrong with it.

    Decided by what is in the file, never by its name: kind, chip, code key, partitions, containers, damage, each with
    its reasons.
    """
    image = load(file)
    print(_as_json(file, image) if json else "\n".join(_lines(file, image)))


def diff(first: Source, second: Source, *, json: Json = False) -> int:
    """Compare two images by partition and sector.

    Each is laid where it belongs in flash, so a QIO image can be compared with a dump. Exit code 6 if they differ.
    """
    found = compare(load(first), load(second))
    print(_difference_as_json(found) if json else "\n".join(_difference_lines(found)))
    return Exit.DONE if found.same else Exit.VERIFY
