"""The meters of a site as its routes ask for them: by a name in the path, from the feed or from the database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Final

from fastapi import HTTPException

from wattrail.clock import zone_of
from wattrail.gateway import Feed, MeterView
from wattrail.sanitize import printable
from wattrail.store import MeterRow, StoreReader, open_to_read
from wattrail.web.messages import Setup
from wattrail.web.problems import ProblemDetails, RequestRefused

__all__ = ["SiteMeters"]

_MAX_NAMES: Final = 20
"""Names of meters listed in an error; /meters has all of them."""


class SiteMeters:
    """What routes below /meters/{name} have in common; ``zone`` is where the days of the site begin."""

    def __init__(self, feed: Feed, setup: Setup) -> None:
        self.feed, self.setup, self.zone = feed, setup, zone_of(setup.zone)

    def now(self) -> datetime:
        """The time, by the clock of the feed."""
        return self.feed.now()

    def view(self, name: str) -> MeterView:
        """The meter of that name, or 404."""
        if (view := self.feed.view(name)) is None:
            names = ", ".join(view.name for view in self.feed.views()[:_MAX_NAMES]) or "none"
            raise RequestRefused(
                ProblemDetails(
                    "not-found",
                    f"there is no meter {printable(name, limit=64)!r}; known: {names}",
                    "/api/v1/meters lists them",
                )
            )
        return view

    @contextmanager
    def account(self, name: str) -> Iterator[tuple[StoreReader, MeterRow]]:
        """The account of a meter in the database; 404 without the meter, 503 before its first reading."""
        self.view(name)
        with open_to_read(self.setup.database) as reader:
            if (row := reader.meter(name)) is None:
                raise HTTPException(503, f"{name} has not been read yet")
            yield reader, row
