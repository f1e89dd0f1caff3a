"""What the page needs beside the meters; the gateway sends it to the process of the page as one message."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel

__all__ = ["CandidateJson", "Setup"]


class CandidateJson(BaseModel):
    """A port that could be a meter: what it is, its URL, and the lines of wattrail.toml that configure it."""

    description: str
    url: str
    toml: str


class Setup(BaseModel):
    """Settings of the page. ``open_to_network``: other machines can read it."""

    database: Path
    zone: str | None = None
    open_to_network: bool = False
    candidates: list[CandidateJson] = []
