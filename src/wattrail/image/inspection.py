"""Everything that can be read out of a dump: what lies where, programs, settings, pins, constants, files.

``inspect_flash`` takes bytes and asks nobody. What it returns still holds the owner's secrets;
``inspection_record.as_record`` makes of it what may be shown.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final

from wattrail.bk7231 import APP_START
from wattrail.errors import ImageError, MissingExtra, WattrailError
from wattrail.image import rbl
from wattrail.image.code import check
from wattrail.image.factory_constants import FactoryConstants, find_factory_constants
from wattrail.image.flash_map import Region, fill_map
from wattrail.image.layout import SECTOR, Layout
from wattrail.image.model import Image, ImageKind, Problem
from wattrail.image.openbeken_configuration import OpenBekenConfiguration, decode_configuration
from wattrail.image.programs import ProgramIdentity, identify_program
from wattrail.image.recognise import plain_app, recognise
from wattrail.image.rf import MAGIC as RF_MAGIC
from wattrail.image.stock_configuration import StockConfiguration, configuration_in_code, stock_configuration
from wattrail.image.stored_files import FileSystem, find_file_systems
from wattrail.image.tuya_cipher import Licence, read_licences
from wattrail.image.tuya_storage import TuyaStorage, read_storage
from wattrail.openbeken import MAGIC as OPENBEKEN_MAGIC

__all__ = ["Inspection", "inspect_flash", "inspect_image"]

_NO_LAYOUT: Final = Layout("this file", ())
_OPENBEKEN_MAX: Final = 4
"""Sectors with OpenBeken's magic that are looked at; a flash has one."""


@dataclass(frozen=True, slots=True)
class Inspection:
    """A file, inspected.

    Offsets are those in flash, of which ``flash`` begins at ``base``; where ``is_placed`` is False they are those in
    the file, because nothing says where in flash its bytes belong.

    ``storage_answer`` says why there is no ``storage``. ``configuration_source`` is "storage" or "code"; what is only
    in the code is what the firmware falls back to, and may be another board's.
    """

    image: Image
    flash: bytes
    base: int
    is_placed: bool
    regions: tuple[Region, ...]
    program: ProgramIdentity | None
    storage: TuyaStorage | None
    storage_answer: str
    storage_hint: str | None
    licences: tuple[Licence, ...]
    configuration: StockConfiguration | None
    configuration_source: str | None
    constants: FactoryConstants | None
    openbeken: tuple[int, OpenBekenConfiguration] | None
    file_systems: tuple[FileSystem, ...]
    problems: tuple[Problem, ...]


def inspect_flash(data: bytes) -> Inspection:
    """Inspect a file: a dump, whole or not, an image, a bare storage area. Raises what ``recognise`` raises."""
    return inspect_image(recognise(data))


def inspect_image(image: Image) -> Inspection:
    """The same for an image that is recognised already."""
    flash, base, is_placed = _placed(image)
    storage, answer, hint = _storage(flash, base)
    licences = _licences(flash, base)
    code = _code(image)
    openbeken, openbeken_problems = _openbeken(flash, base, image)
    systems, system_problems = _file_systems(flash, base)
    # Of a file that is not recognised nothing is sure, four words that fit included.
    constants = find_factory_constants(flash, base) if image.kind is not ImageKind.UNKNOWN else None
    configuration, source = _configuration(storage, code)
    found = Inspection(
        image, flash, base, is_placed, (), identify_program(code), storage, answer, hint, licences, configuration,
        source, constants, openbeken, systems, (),
    )  # fmt: skip
    return replace(
        found,
        regions=fill_map(_regions(found), flash, base, image.layout if is_placed else _NO_LAYOUT),
        problems=(
            *(_in_flash(problem, image, base) for problem in image.problems),
            *(storage.problems if storage else ()),
            *openbeken_problems,
            *system_problems,
            *(problem for system in systems for problem in system.problems),
        ),
    )


def _placed(image: Image) -> tuple[bytes, int, bool]:
    """The bytes that lie in flash, where they begin, and whether that is known."""
    if image.flash:
        return image.flash, image.base, True
    if image.ranges:
        return image.data, image.ranges[0].flash - image.ranges[0].offset, True
    return image.data, 0, False


def _in_flash(problem: Problem, image: Image, base: int) -> Problem:
    """What is wrong with the image, by its place in flash; recognition names the place in the file."""
    if problem.offset is None:
        return problem
    if image.kind is ImageKind.ROTATED:
        return replace(problem, offset=(problem.offset + image.rotated_by) % len(image.data))
    return replace(problem, offset=problem.offset + base)


def _storage(flash: bytes, base: int) -> tuple[TuyaStorage | None, str, str | None]:
    try:
        found = read_storage(flash, base)
    except (ImageError, MissingExtra) as error:
        return None, str(error), error.hint
    sectors = tuple(replace(sector, offset=sector.offset + base) for sector in found.sectors)
    problems = tuple(replace(p, offset=None if p.offset is None else p.offset + base) for p in found.problems)
    return replace(found, key_at=found.key_at + base, sectors=sectors, problems=problems), "read", None


def _licences(flash: bytes, base: int) -> tuple[Licence, ...]:
    try:
        return tuple(replace(licence, at=licence.at + base) for licence in read_licences(flash))
    except MissingExtra:  # the answer of the storage says so
        return ()


def _configuration(storage: TuyaStorage | None, code: bytes) -> tuple[StockConfiguration | None, str | None]:
    # A value whose sum does not hold could name the wrong pins.
    values = {v.name: v.value for v in storage.values if v.problem is None} if storage else {}
    # What is in the code is a default: of 19 dumps with both, none had the same pins in both.
    # Source: bk7231-image/stock-configuration
    if found := stock_configuration(values):
        return found, "storage"
    if found := configuration_in_code(code):
        return found, "code"
    return None, None


def _code(image: Image) -> bytes:
    """The plain code of the app, or of what an update would install."""
    if image.kind in (ImageKind.RBL, ImageKind.UG):
        with suppress(WattrailError):  # another key or compression: the container is recognised all the same
            return rbl.open_ota(image.data[image.data.find(rbl.MAGIC) :])[1]
        return b""
    if image.kind is ImageKind.PLAIN:
        return image.data
    return plain_app(image)


def _openbeken(
    flash: bytes, base: int, image: Image
) -> tuple[tuple[int, OpenBekenConfiguration] | None, tuple[Problem, ...]]:
    """OpenBeken's configuration, on whichever sector it stands; what is wrong with one that does not hold."""
    problems: list[Problem] = []
    looked_at = 0
    for at in range(-base % SECTOR, len(flash), SECTOR):
        if not flash.startswith(OPENBEKEN_MAGIC, at):
            continue
        looked_at += 1
        try:
            return (base + at, decode_configuration(flash[at : at + SECTOR], image.chip)), ()
        except WattrailError as error:
            problems.append(Problem(str(error), base + at))
        if looked_at == _OPENBEKEN_MAX:
            break
    return None, tuple(problems)


def _file_systems(flash: bytes, base: int) -> tuple[tuple[FileSystem, ...], tuple[Problem, ...]]:
    try:
        return find_file_systems(flash, base), ()
    except MissingExtra as error:
        return (), (Problem(str(error)),)


# ---- the map


def _regions(found: Inspection) -> Iterator[Region]:
    """What was found by content, the surest first."""
    yield from _programs(found)
    yield from _radio(found)
    yield from _tuya(found)
    if found.openbeken:
        at, settings = found.openbeken
        yield Region("config", at, at + SECTOR, "OpenBeken's settings",
                     f"version {settings.version}, its checksum holds")  # fmt: skip
    for system in found.file_systems:
        yield Region("littlefs", system.start, system.start + system.length, "files",
                     f"a superblock of LittleFS {system.version}")  # fmt: skip
    if found.constants:
        at = found.constants.at
        yield Region("constants", at, at + SECTOR, "calibration constants of the factory",
                     "four words that fit each other as counts of a BL0942 do")  # fmt: skip
    for container in found.image.containers:
        if not container.packed and not container.faults and found.is_placed:
            end = container.offset + rbl.HEADER + container.header.package_size
            yield Region("update", container.offset, _sector_end(end), f"an update: {container.header.version}",
                         "an RBL container whose checks hold", is_public=True)  # fmt: skip


def _programs(found: Inspection) -> Iterator[Region]:
    image = found.image
    if not image.kind.is_flash_image:
        return
    loader = image.loader
    if loader is not None and check(loader).good:
        known = image.bootloader and (image.bootloader.known_as or image.bootloader.version)
        yield Region("bootloader", 0, APP_START, known or "first program in flash", "its block CRCs hold",
                     is_public=True)  # fmt: skip
    app = image.app
    if app and check(app).good:
        container = image.rbl_of("app")
        evidence = "its block CRCs hold" + (", and an RBL header closes it" if container else "")
        holds = _program_name(found.program) or "the firmware"
        # To the end of the sector: the flash is erased by whole ones.
        yield Region("app", APP_START, _sector_end(APP_START + len(app)), holds, evidence, is_public=True)


def _program_name(program: ProgramIdentity | None) -> str:
    if program is None:
        return ""
    return " ".join(
        filter(None, (program.product or program.firmware, program.version, program.sdk and f"({program.sdk})"))
    )


def _radio(found: Inspection) -> Iterator[Region]:
    at = found.image.rf_at
    if at is None and found.image.rf is not None:
        at = found.base
    if at is not None and found.flash.startswith(RF_MAGIC, at - found.base):
        yield Region("rf", at, at + SECTOR, "radio calibration and MAC address", "the structure of an RF block")


def _tuya(found: Inspection) -> Iterator[Region]:
    storage = found.storage
    if storage is not None:
        yield Region("tuya-key", storage.key_at, storage.key_at + SECTOR, "Tuya: key of the settings",
                     "it opens under the master key")  # fmt: skip
        count, sectors = len(storage.values), len(storage.sectors)
        holds = "Tuya: 1 setting" if count == 1 else f"Tuya: {count} settings"
        evidence = "1 sector opens with that key" if sectors == 1 else f"{sectors} sectors open with that key"
        yield Region("tuya-kv", storage.key_at + SECTOR, storage.end, holds, evidence)
    for licence in found.licences:
        yield Region("licence", licence.at, licence.at + SECTOR, "Tuya: licence of the module",
                     "it opens under the master key")  # fmt: skip


def _sector_end(offset: int) -> int:
    return offset + -offset % SECTOR
