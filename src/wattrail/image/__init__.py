"""Firmware images of the BK7231 family: told apart, checked, converted, compared. Pure: no file, no port, no clock."""

from wattrail.bk7231 import Chip
from wattrail.image.cipher import KEYS, TUYA_KEY, ZERO_KEY, CodeKey, crypt, detect_key
from wattrail.image.convert import Recipe, Target, convert
from wattrail.image.diff import Difference, PartitionDiff, SectorDiff, diff
from wattrail.image.foreign import Foreign, recognise_foreign
from wattrail.image.layout import LAYOUTS, Layout, Partition, code_key
from wattrail.image.limits import FILE_MOST
from wattrail.image.model import Confidence, Container, Image, Kind, Problem, Range
from wattrail.image.packing import check, pack, to_logical, to_physical, unpack
from wattrail.image.rbl import RblHeader, build_ota, open_ota, seal
from wattrail.image.recognise import recognise
from wattrail.image.unpacked_uf2 import as_lies_in_flash
from wattrail.image.zipped import Zipped, look_into_zip

__all__ = [
    "FILE_MOST",
    "KEYS",
    "LAYOUTS",
    "TUYA_KEY",
    "ZERO_KEY",
    "Chip",
    "CodeKey",
    "Confidence",
    "Container",
    "Difference",
    "Foreign",
    "Image",
    "Kind",
    "Layout",
    "Partition",
    "PartitionDiff",
    "Problem",
    "Range",
    "RblHeader",
    "Recipe",
    "SectorDiff",
    "Target",
    "Zipped",
    "as_lies_in_flash",
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
    "seal",
    "to_logical",
    "to_physical",
    "unpack",
]
