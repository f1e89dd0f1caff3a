"""The metering chips that can be twinned, a folder each."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from wattrail.twin.chip import ChipModel
from wattrail.twin.chips.bl0940 import BL0940
from wattrail.twin.chips.bl0942 import BL0942

__all__ = ["CHIP_MODELS"]

CHIP_MODELS: Final[Mapping[str, ChipModel]] = MappingProxyType({model.name: model for model in (BL0942, BL0940)})
"""By name."""
