"""What the page needs beside the meters; the gateway sends it to the process of the page as one message."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from wattrail.publish import PublisherStatus

__all__ = ["CandidateJson", "MetricsSetup", "PublisherJson", "Setup"]


class CandidateJson(BaseModel):
    """A port that could be a meter: what it is, its URL, and the lines of wattrail.toml that configure it."""

    description: str
    url: str
    toml: str


class PublisherJson(BaseModel):
    """One publisher: what it does, since when, and what waits; ``held`` says why a meter's registers are not sent."""

    model_config = ConfigDict(from_attributes=True)

    name: str
    target: str
    status: PublisherStatus
    since: datetime
    error: str | None
    hint: str | None
    sent_at: datetime | None
    waiting: int
    held: dict[str, str]


class MetricsSetup(BaseModel):
    """Settings of ``/metrics``; ``has_kwh`` adds registers in kWh."""

    has_kwh: bool = False


class Setup(BaseModel):
    """Settings of the page. ``open_to_network``: other machines can read it. Without ``metrics`` there are none."""

    database: Path
    zone: str | None = None
    open_to_network: bool = False
    candidates: list[CandidateJson] = []
    metrics: MetricsSetup | None = None
