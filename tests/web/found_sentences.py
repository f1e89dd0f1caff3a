"""What the page /inspect shows of a file and of the boards that it may be of, as templates: its own vocabulary.

It is apart from what the gateway says, since only that page loads it: see ``found.js``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from tests.web.said_sentences import said_by
from wattrail.board.model import BoardPinRole
from wattrail.image.model import Confidence, ImageKind
from wattrail.image.secret_keys import HIDDEN, SECRET_NAMES
from wattrail.image.stock_configuration import MeterBus, PinRole

__all__ = ["found_sentences"]

_MODULES: Final = {
    "": "errors.MissingExtra",
    "image": "code.fault find.code_problems find._damage find.length_problems find.place_problems find._shifted "
    "find._stored flash_map foreign inspection layout magic.blank_image magic.ug_image "
    "openbeken_configuration.decode_configuration rbl.decode_header rbl.stored_faults rbl.updated_faults "
    "rbl._package_faults rbl._expect recognise.recognise recognise._straightened recognise._in_flash "
    "recognise._blank_bootloader recognise._off_grid recognise._whole recognise._rest_problems "
    "inspection_record._answer stock_configuration stored_files tuya_storage "
    "uf2.decode_uf2 uf2._faults ug.decode_ug ug.unwrap zipped",
    "board": "dump match observation",
    "web": "inspect_api inspection._image",
}
"""Modules, or a function or class of one, by room: a module that also writes images says other things to others."""

_SPELT_OUT: Final = (
    "RBL of {name}", "RBL of {name}: {fault}", "chip {name}", "chip_type is {kind}", "bus {name}", "erased",
    "metering chip {name}", "missing", "too many", "bus of the meter", "chip", "metering chip", "module",
    "module {name}", "unknown", "constants", "update", "{use}, active {active}", "active {active}", "high", "low",
    "dump, OpenBeken", "dump, code of the stock firmware", "dump, storage of the stock firmware",
    "{what}: dump, code of the stock firmware says {one}, dump, OpenBeken says {other}",
    "{what}: dump, storage of the stock firmware says {one}, dump, OpenBeken says {other}",
    "Tuya's settings, which are enciphered", "an enciphered RBL package", "the files in a LittleFS",
    "working on firmware images", "product key {key}",
)  # fmt: skip
"""Too short to be known from a name in the source, or put together of several places."""


def found_sentences() -> dict[str, str]:
    """Each with its place in the source."""
    found = dict.fromkeys(_SPELT_OUT, "tests/web/found_sentences.py")
    found |= dict.fromkeys(_names(), "src/wattrail/image/model.py, stock_configuration.py, secret_keys.py")
    found |= dict.fromkeys(_pins(), "src/wattrail/board/model.py")
    for template, place in said_by(_MODULES):
        found.setdefault(template, place)
    return found


def _names() -> Iterator[str]:
    for kind in (ImageKind, Confidence, PinRole, MeterBus):
        yield from (one.value for one in kind if one is not MeterBus.UART)
    yield from (HIDDEN, *(f"{HIDDEN}: {what}" for what in SECRET_NAMES.values()))


def _pins() -> Iterator[str]:
    """A role as ``BoardPin`` writes it, alone and behind the number of a pin, with and without channel and level."""
    for role in (one.value.replace("_", " ") for one in BoardPinRole):
        yield from (role, f"{role} {{channel}}")
        for use in (f"P{{pin}} {role}", f"P{{pin}} {role} {{channel}}"):
            yield from (use, f"{use}, active {{active}}")
