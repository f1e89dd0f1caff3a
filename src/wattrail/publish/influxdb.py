"""Writes to InfluxDB 1, 2 and 3, and to whatever takes their line protocol: VictoriaMetrics, QuestDB, Telegraf.

A write is one HTTP POST of many lines. Registers leave the outbox when the server has taken them; writing the same
point twice changes nothing there, so a write whose answer was lost is simply repeated.
"""

from __future__ import annotations

import gzip
import json
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal
from urllib.parse import urlencode, urljoin, urlsplit

from wattrail.credentials import Credentials
from wattrail.errors import AccessDenied, PortOpenError, WattrailError
from wattrail.gateway import Subscription
from wattrail.gateway.timing import BackOff
from wattrail.publish.authority import HttpPost, basic_authorization
from wattrail.publish.consumer import ConsumerContext, Publisher
from wattrail.publish.line_protocol import live_point, registers_point
from wattrail.publish.pending import DEFAULT_CADENCE, PendingValues, PublishCadence, published_meter
from wattrail.publish.status import DeliveryFailed, PublisherStatus
from wattrail.publish.values import RegisterValues
from wattrail.sanitize import hide_credentials, printable
from wattrail.sources import Secrets
from wattrail.store.outbox import Outbox

__all__ = ["InfluxPacing", "InfluxPlan", "InfluxTarget"]

_BATCH: Final = 5000
"""Lines of one write, as InfluxDB recommends."""

_REFUSED: Final = frozenset({401, 403, 404})
"""Wrong login, no permission, no such database: nothing is lost, a person has to act."""

_DROPPED: Final = frozenset({400, 422})
"""The server took what it could, and says what it did not take: repeating would not help."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class InfluxTarget:
    """A server and its database. ``org`` is of version 2 alone; ``database`` is its bucket."""

    url: str
    version: Literal[1, 2, 3]
    database: str
    org: str = ""

    def path(self) -> str:
        """The path of a write, with its query."""
        match self.version:
            case 1:
                path, query = "write", {"db": self.database, "precision": "ns"}
            case 2:
                path, query = "api/v2/write", {"org": self.org, "bucket": self.database, "precision": "ns"}
            case 3:
                partial = {"precision": "nanosecond", "accept_partial": "true"}
                path, query = "api/v3/write_lp", {"db": self.database, **partial}
        return f"{urlsplit(self.url).path.rstrip('/')}/{path}?{urlencode(query)}"

    def authorization(self, login: Credentials | None) -> Mapping[str, str]:
        """The header of a login: user and password for version 1, the password as token for the others."""
        if login is None:
            return {}
        if self.version == 1:
            return {"Authorization": basic_authorization(login)}
        return {"Authorization": f"{'Token' if self.version == 2 else 'Bearer'} {login.password}"}


@dataclass(frozen=True, slots=True, kw_only=True)
class InfluxPacing:
    """Times in seconds: between two writes, for one answer, for the last one while the service stops."""

    tick_s: float = 1.0
    timeout_s: float = 10.0
    last_timeout_s: float = 0.3  # publishers have 0.4 s to end; what is not written then waits in the outbox
    first_retry_s: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class InfluxPlan:
    """Writes to one server. ``login`` is the name of its user and password, or of its token.

    ``ca_file`` signs its certificate where the system's authorities do not.
    """

    influx: InfluxTarget
    login: str
    ca_file: Path | None = None
    measurement: str = "meter"
    cadence: PublishCadence = DEFAULT_CADENCE
    pacing: InfluxPacing = InfluxPacing()
    name: str = "influxdb"

    @property
    def target(self) -> str:
        """The server and its database."""
        return f"{self.influx.url} ({self.influx.database})"

    def publisher(self, context: ConsumerContext) -> Publisher:
        """A function: see ``Publisher``."""

        def publish(events: Subscription) -> None:
            with Outbox(context.database, self.name) as outbox:
                _InfluxWriter(self, context, outbox).run(events)

        return publish


class _TooLarge(DeliveryFailed):
    """A write that has more bytes than the server, or a proxy before it, takes at once."""


class _InfluxWriter:
    """One publisher while it runs, in one thread."""

    def __init__(self, plan: InfluxPlan, context: ConsumerContext, outbox: Outbox) -> None:
        self._plan, self._board, self._outbox = plan, context.board, outbox
        self._pending = PendingValues(outbox, plan.cadence, context.meters)
        self._back_off = BackOff(plan.pacing.first_retry_s)
        self._retry_at_s = float("-inf")
        self._lines = _BATCH
        self._login: Credentials | None = None
        self._knows_login = False

    def run(self, events: Subscription) -> None:
        """Write until the events end."""
        write_at_s = float("-inf")
        while not events.ended:
            event = events.get(self._plan.pacing.tick_s)
            now_s = time.monotonic()
            if event is not None:
                self._pending.note(event, now_s)
            if now_s >= max(write_at_s, self._retry_at_s):
                self._write_due(self._plan.pacing.timeout_s)
                write_at_s = time.monotonic() + self._plan.pacing.tick_s
        for event in events.take():
            self._pending.note(event, time.monotonic())
        self._pending.store_newest(time.monotonic())
        self._write_due(self._plan.pacing.last_timeout_s)

    def _write_due(self, timeout_s: float) -> None:
        """Write live values that are due and everything that waits, until the server refuses or has it all."""
        try:
            while self._write_once(timeout_s):
                pass
        except DeliveryFailed as failed:
            if isinstance(failed, _TooLarge) and self._lines > 1:
                # Until they fit: a 413 names no limit, and all of it waits in the outbox meanwhile.
                self._lines //= 2
                return
            self._retry_at_s = time.monotonic() + self._back_off.fail()
            self._knows_login = False  # a person may have corrected it
            self._board.failed(self._plan.name, failed.status, failed.error, waiting=self._outbox.count())

    def _write_once(self, timeout_s: float) -> bool:
        """One write; returns whether more waits."""
        now_s, measurement = time.monotonic(), self._plan.measurement
        self._pending.flush(now_s)
        rows, live = self._outbox.waiting(self._lines), tuple(self._pending.due(now_s))
        # What waits may be of a meter that is configured no longer, whose account is all that is known of it.
        known = {meter_id: published_meter(one) for meter_id, one in self._outbox.identities().items()}
        known |= {meter_id: meter.who for meter_id, meter in self._pending.by_id().items()}
        lines = [
            registers_point(measurement, known[row.meter_id], RegisterValues.of(row.totals, row.at)) for row in rows
        ]
        lines += [live_point(measurement, meter.who, values) for meter, values in live]
        if not lines:
            return False
        self._post(lines, timeout_s)
        if rows:
            self._outbox.acknowledged(rows[-1].id)
        for meter, values in live:
            self._pending.live_sent(meter, values, now_s)
        self._back_off.succeed()
        self._board.reached(self._plan.name)
        has_more = len(rows) == self._lines
        self._board.sent(self._plan.name, waiting=self._outbox.count() if has_more else 0, held=self._pending.held)
        return has_more

    def _found_login(self) -> Credentials | None:
        """The login, looked up once until a write fails: a password store may take its time."""
        if not self._knows_login:
            try:
                self._login = Secrets().find(self._plan.login)
            except WattrailError as error:
                raise DeliveryFailed(PublisherStatus.REFUSED, error) from error
            self._knows_login = True
        return self._login

    def _post(self, lines: Sequence[str], timeout_s: float) -> None:
        body = gzip.compress("\n".join([*lines, ""]).encode(), compresslevel=1)
        status, said = self._answer(body, timeout_s)
        if status < 300:
            return
        text = f"{self._plan.target} answers {status}: {printable(said, limit=200)}"
        if status in _DROPPED:
            logger.warning("%s did not take every one of %d points: %s", self._plan.name, len(lines), text)
            return
        if status in _REFUSED:
            hint = "docs/publish.md, InfluxDB, says where the login is stored and which database is needed"
            raise DeliveryFailed(PublisherStatus.REFUSED, AccessDenied(text, hint=hint))
        raise (_TooLarge if status == 413 else DeliveryFailed)(PublisherStatus.AWAY, PortOpenError(text))

    def _answer(self, body: bytes, timeout_s: float) -> tuple[int, str]:
        """Status, and what the server says of it; without what it may repeat of our headers."""
        plan, login = self._plan, self._found_login()
        post = HttpPost(
            url=urljoin(plan.influx.url, plan.influx.path()),
            shown=plan.target,
            action="write",
            timeout_s=timeout_s,
            ca_file=plan.ca_file,
        )
        headers = {"Content-Type": "text/plain; charset=utf-8", "Content-Encoding": "gzip"}
        answer = post.send(body, {**headers, **plan.influx.authorization(login)})
        return answer.status, hide_credentials(_message_of(answer.body), *(login.forms if login else ()))


def _message_of(answer: bytes) -> str:
    """What a server says is wrong; versions 1 and 3 say ``error``, version 2 says ``message``."""
    text = answer.decode(errors="replace")
    try:
        found = json.loads(text)
    except ValueError:
        return text
    return str(found.get("error") or found.get("message") or text) if isinstance(found, dict) else text
