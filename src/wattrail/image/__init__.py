"""Firmware images of the BK7231 family: recognised, checked, converted, compared. Pure: no file, no port, no clock."""

from wattrail.bk7231 import Chip
from wattrail.image.code import (
    KEYS,
    TUYA_KEY,
    ZERO_KEY,
    CodeKey,
    check,
    crypt,
    detect_key,
    pack,
    to_logical,
    to_physical,
    unpack,
)
from wattrail.image.convert import MissingInput, OutputKind, Recipe, as_flash_image, convert
from wattrail.image.diff import Difference, PartitionDiff, SectorDiff, diff
from wattrail.image.foreign import Foreign, recognise_foreign
from wattrail.image.layout import LAYOUTS, Layout, Partition, code_key
from wattrail.image.limits import MAX_FILE_BYTES
from wattrail.image.model import Confidence, Container, Image, ImageKind, Problem, Range
from wattrail.image.rbl import RblHeader, add_rbl, build_ota, open_ota
from wattrail.image.recognise import recognise
from wattrail.image.zipped import Zipped, look_into_zip

__all__ = [
    "KEYS",
    "LAYOUTS",
    "MAX_FILE_BYTES",
    "TUYA_KEY",
    "ZERO_KEY",
    "Chip",
    "CodeKey",
    "Confidence",
    "Container",
    "Difference",
    "Foreign",
    "Image",
    "ImageKind",
    "Layout",
    "MissingInput",
    "OutputKind",
    "Partition",
    "PartitionDiff",
    "Problem",
    "Range",
    "RblHeader",
    "Recipe",
    "SectorDiff",
    "Zipped",
    "add_rbl",
    "as_flash_image",
    "build_ota",
    "check",
    "code_key",
    "convert",
    "crypt",
    "detect_key",
    "diff",
    "look_into_zip",
    "open_ota",
    "pack",
    "recognise",
    "recognise_foreign",
    "to_logical",
    "to_physical",
    "unpack",
]
