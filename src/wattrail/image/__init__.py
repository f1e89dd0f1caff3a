"""Firmware images of the BK7231 family: told apart, checked, converted, compared. Pure: no file, no port, no clock."""

from wattrail.image.cipher import KEYS, TUYA_KEY, ZERO_KEY, CodeKey, crypt, detect_key
from wattrail.image.convert import Recipe, Target, convert
from wattrail.image.diff import Difference, PartitionDiff, SectorDiff, diff
from wattrail.image.layout import LAYOUTS, Chip, Layout, Partition
from wattrail.image.limits import FILE_MOST
from wattrail.image.model import Confidence, Container, Image, Kind, Problem, Range
from wattrail.image.packing import check, pack, to_logical, to_physical, unpack
from wattrail.image.rbl import RblHeader, build_ota, open_ota, seal
from wattrail.image.recognise import recognise

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
    "build_ota",
    "check",
    "convert",
    "crypt",
    "detect_key",
    "diff",
    "open_ota",
    "pack",
    "recognise",
    "seal",
    "to_logical",
    "to_physical",
    "unpack",
]
