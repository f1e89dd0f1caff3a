"""The chart of the last hour: its options, and its points as the browser takes them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from wattrail.store import Bucket

__all__ = ["chart_options", "chart_points"]


def chart_options() -> dict[str, Any]:
    """An empty chart; colours and points come from the browser's side, which knows light from dark."""
    return {
        "animation": False,
        "grid": {"left": 8, "right": 12, "top": 16, "bottom": 4, "containLabel": True},
        "tooltip": {"trigger": "axis", "confine": True, "axisPointer": {"type": "line"}},
        "xAxis": {
            "type": "time",
            "splitNumber": 4,
            "axisTick": {"show": False},
            "splitLine": {"show": False},
            "axisLabel": {"hideOverlap": True, "formatter": "{HH}:{mm}"},
        },
        "yAxis": {"type": "value", "splitNumber": 4, "axisLabel": {"formatter": "{value} W"}},
        "series": [
            {
                "type": "line",
                "name": "Power",
                "showSymbol": False,
                "connectNulls": False,
                "lineStyle": {"width": 1.75},
                "areaStyle": {"opacity": 0.13},
                "data": [],
            }
        ],
    }


def chart_points(buckets: Iterable[Bucket]) -> list[list[float]]:
    """Points as [milliseconds since 1970, watts]."""
    return [[round(b.start.timestamp() * 1000), round(b.mean_watts, 1)] for b in buckets]
