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
from wattrail.image.convert import MissingInput, OutputKind, Recipe, convert
from wattrail.image.diff import Difference, PartitionDiff, SectorDiff, diff
from wattrail.image.flash_picture import picture_lines, picture_svg
from wattrail.image.foreign import Foreign, recognise_foreign
from wattrail.image.inspection import Inspection, inspect_flash, inspect_image
from wattrail.image.inspection_record import as_record
from wattrail.image.layout import LAYOUTS, Layout, Partition, code_key
from wattrail.image.limits import MAX_FILE_BYTES
from wattrail.image.model import Confidence, Container, Image, ImageKind, Problem, Range
from wattrail.image.rbl import RblHeader, add_rbl, build_ota, open_ota
from wattrail.image.recognise import as_flash_image, recognise
from wattrail.image.stock_configuration import MeterBus, MeterWiring, PinRole, PinUse, StockConfiguration
from wattrail.image.tuya_storage import TuyaStorage, read_storage
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
    "Inspection",
    "Layout",
    "MeterBus",
    "MeterWiring",
    "MissingInput",
    "OutputKind",
    "Partition",
    "PartitionDiff",
    "PinRole",
    "PinUse",
    "Problem",
    "Range",
    "RblHeader",
    "Recipe",
    "SectorDiff",
    "StockConfiguration",
    "TuyaStorage",
    "Zipped",
    "add_rbl",
    "as_flash_image",
    "as_record",
    "build_ota",
    "check",
    "code_key",
    "convert",
    "crypt",
    "detect_key",
    "diff",
    "inspect_flash",
    "inspect_image",
    "look_into_zip",
    "open_ota",
    "pack",
    "picture_lines",
    "picture_svg",
    "read_storage",
    "recognise",
    "recognise_foreign",
    "to_logical",
    "to_physical",
    "unpack",
]
