"""Captures of network meters: what a device said goes into a file, and is read back in the device's place.

Answers and messages are kept as they came, without secrets: passwords, network names and what else stands under such a
key becomes ``***``. A replay gives them to the same decoder that the recorded URL opens; nobody is contacted.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Final, TextIO

from wattrail import __version__
from wattrail.clock import Clock, SystemClock
from wattrail.credentials import Credentials, Secrets
from wattrail.errors import FileError, PortError, PortOpenError, UnexpectedReply
from wattrail.files import open_text
from wattrail.network_meters.decoded import Decoded, HttpLink, LinkQuality, MqttCommand, TopicLink
from wattrail.network_meters.power_counter import PowerCounter
from wattrail.sanitize import printable
from wattrail.sources.broker import BrokerPool
from wattrail.sources.opening import open_source
from wattrail.sources.polled import PolledSource
from wattrail.sources.pushed import PushedSource
from wattrail.sources.tuya import TuyaSource
from wattrail.transport.capture import Event, Header, PageAnswered, TopicPublished, decode_header, encode_header
from wattrail.transport.record import CaptureWriter
from wattrail.transport.replay import MAX_BYTES, CaptureEnded, CaptureReader
from wattrail.units import Reading
from wattrail.urls import read_options, split

__all__ = ["CaptureOfSource", "ReplayedSource", "is_network_capture", "open_replayed", "scrubbed"]

_KINDS: Final = ("http", "mqtt")
_MAX_HEADER: Final = 1 << 16
_HIDDEN: Final = "***"
_SECRET_WORDS: Final = r"(?:ssid|passw|secret|token|psk|apikey|mqttuser|startcmd|otaurl)"
_SECRET_KEY: Final = re.compile(
    rf'(?P<key>"[^"\\]{{0,40}}{_SECRET_WORDS}[^"\\]{{0,40}}"\s*:\s*)"(?:[^"\\]|\\.)*"', re.IGNORECASE
)
_SECRET_TOPIC: Final = re.compile(rf"{_SECRET_WORDS}[^/]*(?:/get)?$", re.IGNORECASE)


def scrubbed(data: bytes, secrets: Sequence[str] = ()) -> bytes:
    """An answer or a payload without the values of secret keys, and without any of ``secrets``."""
    # Bytes that are not UTF-8 go through unchanged.
    text = data.decode("utf-8", errors="surrogateescape")
    text = _SECRET_KEY.sub(rf'\g<key>"{_HIDDEN}"', text)
    for secret in secrets:
        text = text.replace(secret, _HIDDEN)
    return text.encode("utf-8", errors="surrogateescape")


class _SeenSecrets(Secrets):
    """Remembers which passwords it gave out: they must not reach the file either."""

    def __init__(self) -> None:
        super().__init__()
        self.passwords: list[str] = []

    def find(self, name: str, *, default_user: str = "") -> Credentials | None:
        found = super().find(name, default_user=default_user)
        self.passwords += found.forms if found else ()
        return found


class _RecordedPages:
    """The conversation with a web server; each answer is written before it is decoded."""

    def __init__(self, link: HttpLink, write: Callable[[Callable[[float], Event]], None], secrets: list[str]) -> None:
        self._link = link
        self._write = write
        self._secrets = secrets
        self._target = ""

    def begin(self) -> None:
        self._link.begin()

    def next_request(self) -> str | None:
        target = self._link.next_request()
        self._target = target or ""
        return target

    def receive(self, status: int, body: bytes) -> None:
        kept = scrubbed(body, self._secrets)
        self._write(lambda at: PageAnswered(at, self._target, status, kept))
        self._link.receive(status, body)

    def finish(self) -> Decoded:
        return self._link.finish()


class _RecordedTopics:
    """The conversation over a broker; each message is written before it is decoded."""

    def __init__(self, link: TopicLink, write: Callable[[Callable[[float], Event]], None], secrets: list[str]) -> None:
        self._link = link
        self._write = write
        self._secrets = secrets

    def filters(self) -> Sequence[str]:
        return self._link.filters()

    def commands(self) -> Sequence[MqttCommand]:
        return self._link.commands()

    def receive(self, topic: str, payload: bytes, *, is_retained: bool, at: float) -> Decoded | None:
        kept = _HIDDEN.encode() if _SECRET_TOPIC.search(topic) else scrubbed(payload, self._secrets)
        self._write(lambda since: TopicPublished(since, topic, kept, is_retained))
        # The decoder gets what came: only the file is without secrets.
        return self._link.receive(topic, payload, is_retained=is_retained, at=at)


class CaptureOfSource:
    """A source whose answers and messages are kept in a file, which must not exist yet; use it as the source itself.

    The header says at first that the device is not simulated: only its answers tell. ``close`` sets that right.
    """

    def __init__(self, path: Path, url: str, *, pool: BrokerPool | None = None, clock: Clock | None = None) -> None:
        clock, secrets = clock or SystemClock(), _SeenSecrets()
        source = open_source(url, pool=pool, secrets=secrets, clock=clock)
        kind = "http" if isinstance(source, PolledSource) else "mqtt"
        self.source = source
        self._header = Header(kind, source.url, clock.now(), False, __version__)
        try:
            self._file: TextIO = path.open("x", encoding="utf-8", newline="\n")
        except OSError as error:
            raise PortOpenError(f"{printable(str(path))} cannot be written: {error.strerror}") from error
        write = CaptureWriter(self._file, self._header, clock).write
        if isinstance(source, PolledSource):
            source.link = _RecordedPages(source.link, write, secrets.passwords)
        elif isinstance(source, PushedSource | TuyaSource):
            source.link = _RecordedTopics(source.link, write, secrets.passwords)

    def close(self) -> None:
        """Complete the header, and close the file."""
        with suppress(OSError), self._file:
            if self.source.simulated:
                written = encode_header(self._header)
                self._file.seek(0)
                # Filled up to the former length, or the first event behind it would be overwritten.
                self._file.write(encode_header(replace(self._header, simulated=True)).ljust(len(written)))


def is_network_capture(url: str) -> bool:
    """Whether a URL names a capture of a network meter; False for a file that cannot be read, whoever opens it says."""
    parts = split(url)
    if parts.scheme != "replay":
        return False
    try:
        with open_text(Path(parts.path), limit=MAX_BYTES) as file:
            return decode_header(file.readline(_MAX_HEADER)).kind in _KINDS
    except (FileError, OSError, ValueError):
        return False


def open_replayed(url: str) -> ReplayedSource:
    """The capture that ``replay:FILE`` names. Raises PortOpenError, UrlError."""
    parts = split(url)
    read_options(parts, ())
    try:
        reader = CaptureReader(parts.path, open_text(Path(parts.path), limit=MAX_BYTES))
        # Nobody is contacted, so no login is looked up.
        source = open_source(reader.header.url, secrets=Secrets.none())
    except (ValueError, PortError) as error:
        raise PortOpenError(f"{url}: {printable(parts.path)} cannot be replayed: {error}") from error
    if not isinstance(source, PolledSource | PushedSource | TuyaSource):  # open_source gives no other
        raise PortOpenError(f"{url}: {reader.header.url} is not a network meter")
    return ReplayedSource(url, reader, source)


class ReplayedSource:
    """A network meter as it was recorded, reading after reading, with the recorded times. ``read`` does not wait."""

    def __init__(self, url: str, reader: CaptureReader, source: PolledSource | PushedSource | TuyaSource) -> None:
        self.url = url
        self.simulated = reader.header.simulated
        self.cadence = source.cadence
        self.is_polled = source.is_polled
        self.reconnects = 0
        self.broker_problem: PortError | None = None
        self.quality = LinkQuality()
        self.advice: tuple[str, ...] = ()
        self._reader = reader
        self._source = source
        self._power_counter = PowerCounter(source.cadence.watched_s)

    async def read(self) -> Reading:
        """The next reading. Raises CaptureEnded after the last one, UnexpectedReply as recorded."""
        decoded = self._poll(self._source) if isinstance(self._source, PolledSource) else self._listen(self._source)
        self.simulated |= decoded.is_simulated
        self.quality, self.advice = decoded.quality, decoded.advice
        at = self._reader.recorded_at
        monotonic = (at - self._reader.header.started).total_seconds()
        return self._power_counter.reading(
            decoded, decoded.registers, at=at, monotonic=monotonic, simulated=self.simulated
        )

    async def close(self) -> None:
        """Close the file."""
        self._reader.close()

    def _poll(self, source: PolledSource) -> Decoded:
        source.link.begin()
        is_first = True
        while (target := source.link.next_request()) is not None:
            event, place = self._reader.next, self._reader.place
            if event is None:
                raise self._ended()
            is_answer = isinstance(event, PageAnswered) and event.target == target
            # An answer that does not fit a poll's first question is passed, or every later read would meet it again.
            if is_answer or is_first:
                self._reader.advance()
            if not (isinstance(event, PageAnswered) and is_answer):
                raise UnexpectedReply(f"{place}: no answer to {printable(target)}, as recorded")
            source.link.receive(event.status, event.body)
            is_first = False
        return source.link.finish()

    def _listen(self, source: PushedSource | TuyaSource) -> Decoded:
        while (event := self._reader.next) is not None:
            self._reader.advance()
            if isinstance(event, TopicPublished):
                decoded = source.link.receive(event.topic, event.payload, is_retained=event.is_retained, at=event.at)
                if decoded is not None and decoded.is_online is None:
                    return decoded
        raise self._ended()

    def _ended(self) -> CaptureEnded:
        return CaptureEnded(f"{self.url}: the capture ended at line {self._reader.number - 1}")
