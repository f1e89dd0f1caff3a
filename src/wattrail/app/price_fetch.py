"""Market prices by a URL: fetched once an hour by the gateway, and added to the file that the tariff names.

What was fetched stays in that file, so a bill of last year needs no service, and a service that is away costs nothing
until its last price is over. The page reads the file, and asks nobody.
"""

from __future__ import annotations

import http.client
import logging
import ssl
import threading
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from wattrail.clock import Clock, SystemClock
from wattrail.errors import AccessDenied, PortOpenError, WattrailError
from wattrail.gateway import Subscription
from wattrail.ledger import Tariff
from wattrail.publish.authority import connection_to, not_trusted, target_of
from wattrail.sanitize import printable
from wattrail.store.price_file import merge_prices, parse_prices, read_prices
from wattrail.transport.connection_reason import connection_reason

__all__ = ["PriceFetcher", "PriceState", "fetch_prices"]

_EVERY_S: Final = 3600.0
"""Prices of the next day are published once a day; aWATTar asks for 100 requests a day at most."""

_AGAIN_S: Final = 300.0
"""After a failure."""

_LOOK_EVERY_S: Final = 0.2
"""Publishers have 0.4 s to end."""

_TIMEOUT_S: Final = 20.0
_MAX_BYTES: Final = 4 << 20
"""A year of quarter hours of the longest format has 3 MB."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceState:
    """How it stands with the market prices of one tariff; ``url`` without its query, which may hold a key."""

    tariff: str
    file: str
    url: str | None
    fetched_at: datetime | None = None
    known_until: datetime | None = None
    error: str | None = None
    hint: str | None = None


class PriceFetcher:
    """Fetches for every tariff that has a URL; a reader of the events, whose end is the end of its work."""

    def __init__(self, tariffs: Iterable[Tariff], clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._tariffs = {tariff.name: tariff for tariff in tariffs if tariff.market is not None}
        self._lock = threading.Lock()
        self._states = {
            name: PriceState(tariff=name, file=tariff.market.file, url=_shown(tariff.market.url))
            for name, tariff in self._tariffs.items()
            if tariff.market is not None
        }

    def states(self) -> tuple[PriceState, ...]:
        """Every tariff that follows a market, with the end of its last price as the file says it now."""
        with self._lock:
            states = tuple(self._states.values())
        return tuple(replace(state, known_until=_known_until(Path(state.file))) for state in states)

    def __call__(self, events: Subscription) -> None:
        """Fetch until the events end; what they are does not matter."""
        due_s, pause = self._clock.monotonic(), threading.Event()
        while not events.ended:
            if self._clock.monotonic() >= due_s:
                due_s = self._clock.monotonic() + (_EVERY_S if self.fetch_all() else _AGAIN_S)
            pause.wait(_LOOK_EVERY_S)
            events.take()  # nothing is done with them, and none may wait here for ever

    def fetch_all(self) -> bool:
        """Fetch once; whether all could be. Raises nothing: what is wrong is in the states and in the log."""
        # A list, not a generator: a tariff that fails must not keep the others from being fetched.
        results = [self._fetch(name, tariff) for name, tariff in self._tariffs.items() if _url_of(tariff)]
        return all(results)

    def _fetch(self, name: str, tariff: Tariff) -> bool:
        assert tariff.market is not None
        try:
            fresh = parse_prices(fetch_prices(tariff.market.url or ""), _shown(tariff.market.url) or "")
            merge_prices(Path(tariff.market.file), fresh)
        except WattrailError as error:
            logger.warning("market prices of tariff %s: %s", name, error)
            self._note(name, error=str(error), hint=error.hint)
            return False
        self._note(name, fetched_at=self._clock.now(), error=None, hint=None)
        return True

    def _note(self, name: str, **found: object) -> None:
        with self._lock:
            self._states[name] = replace(self._states[name], **found)  # type: ignore[arg-type]


def fetch_prices(url: str, timeout_s: float = _TIMEOUT_S) -> str:
    """What a service answers. Raises AccessDenied, PortOpenError."""
    shown = _shown(url) or ""
    connection = connection_to(url, timeout_s=timeout_s)
    headers = {"Accept": "application/json, text/csv", "User-Agent": "wattrail"}
    try:
        connection.request("GET", target_of(url), headers=headers)
        answer = connection.getresponse()
        body = answer.read(_MAX_BYTES + 1)
    except ssl.SSLCertVerificationError as error:  # before OSError, of which it is one
        raise not_trusted(shown, error) from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = printable(connection_reason(error, urlsplit(url).netloc) if isinstance(error, OSError) else str(error))
        raise PortOpenError(f"{shown}: {reason}", hint="check the address; known prices stay valid") from error
    finally:
        connection.close()
    if answer.status != 200:
        raise AccessDenied(f"{shown} answers {answer.status}", hint="check url in [market] of the tariff")
    if len(body) > _MAX_BYTES:
        raise AccessDenied(f"{shown} answers more than {_MAX_BYTES} bytes", hint="ask for a shorter time")
    return body.decode("utf-8", errors="replace")


def _url_of(tariff: Tariff) -> str | None:
    return tariff.market.url if tariff.market else None


def _shown(url: str | None) -> str | None:
    if url is None:
        return None
    parts = urlsplit(url)
    return printable(f"{parts.scheme}://{parts.netloc}{parts.path}", limit=200)


def _known_until(file: Path) -> datetime | None:
    try:
        prices = read_prices(file)
    except WattrailError:
        return None
    return prices[-1].end if prices else None
