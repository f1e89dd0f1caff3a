"""What the page needs to know beside the meters; it goes from the gateway to the process of the page as one message."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel

__all__ = ["Candidate", "Setup"]


class Candidate(BaseModel):
    """Hardware that could be a meter: what it looks like, its URL, and the lines for wattrail.toml that make it one."""

    description: str
    url: str
    toml: str


class Setup(BaseModel):
    """The surroundings of a page. ``open_to_network``: others than this machine can read it."""

    database: Path
    zone: str | None = None
    open_to_network: bool = False
    candidates: list[Candidate] = []
