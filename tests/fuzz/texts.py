"""What must hold for any bytes in a text that others write: a journal, a capture file, a configuration, a URL."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Final

from wattrail.app.config import load_config
from wattrail.bootrom import Chip, Identity, Responder
from wattrail.clock import ManualClock
from wattrail.errors import PortError, UrlError, WattrailError
from wattrail.flasher.backup_store import BackupStore
from wattrail.flasher.flash_target import FlashTarget
from wattrail.flasher.journal import Journal
from wattrail.redaction import Private, PrivateKind, Redactor, leaks
from wattrail.store.calibration_file import taken_from_file
from wattrail.transport.capture import decode_event, encode_event
from wattrail.transport.replay import CaptureReader
from wattrail.transport.schemes import check_url
from wattrail.twin.scenario import load_scenario
from wattrail.urls import Option, boolean, choice, number_in, read_options, split

__all__ = ["calibrations", "capture", "configuration", "journal", "redaction", "scenario", "url"]

BOARD: Final = FlashTarget(
    Identity(Chip.N, Responder.BOOT_ROM, ()), Responder.BOOT_ROM, 0x200000, True, flash_id=0x1560EB, sr=0x4004, rf_crc=1
)


@cache
def _store() -> tuple[BackupStore, tempfile.TemporaryDirectory[str]]:
    folder = tempfile.TemporaryDirectory(prefix="fuzz-")
    return BackupStore(Path(folder.name), ManualClock()), folder


def journal(data: bytes) -> None:
    """Whatever stands in the file: it is read, the next write is noted behind it, and its end is the end."""
    store, folder = _store()
    path = Path(folder.name) / BOARD.board / "journal.jsonl"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data)
    earlier = store.unfinished(BOARD)
    assert earlier is None or earlier.sr is None or isinstance(earlier.sr, int)
    mine = earlier.journal if earlier else Journal(path.parent, ManualClock())
    mine.begin(BOARD, image="b.bin", sha256="11", rf_after=1, backup=None, simulated=True)
    assert path.read_bytes().startswith(data)
    now = store.unfinished(BOARD)
    assert now is not None, "a write that was begun is forgotten"
    assert now.image == "b.bin"
    mine.done([(0, bytes(BOARD.size))])
    assert store.unfinished(BOARD) is None, "a write that ended is taken for a torn one"


def capture(data: bytes) -> None:
    """A file is read to its end, or refused with its place; an event that was understood is written the same."""
    lines = data.count(b"\n") + data.count(b"\r") + 2
    with suppress(ValueError, PortError), io.TextIOWrapper(io.BytesIO(data), encoding="utf-8") as file:
        reader = CaptureReader("any.jsonl", file)  # what opens it makes a PortError of a ValueError
        for _ in range(lines):
            if reader.next is None:
                return
            assert _same(encode_event(reader.next))
            _advance(reader)
        raise AssertionError("the reader never comes to an end")


def _advance(reader: CaptureReader) -> None:
    try:
        reader.advance()
    except ValueError as error:
        raise AssertionError(f"a bad line is not reported as a PortError: {error!r}") from error


def _same(line: str) -> bool:
    return encode_event(decode_event(line)) == line


def configuration(data: bytes) -> None:
    """A configuration is understood, or refused in a message that fits on a screen."""
    _handed_over(data, "wattrail.toml", load_config)


def scenario(data: bytes) -> None:
    """A scenario likewise."""
    _handed_over(data, "scenario.toml", lambda path: load_scenario(str(path)))


def calibrations(data: bytes) -> None:
    """An export of calibrations likewise; what is taken from it can be stored."""

    def taken(path: Path) -> None:
        found = taken_from_file(path, None)
        assert 0 < round(found.calibration.counts_per_volt * 1e6) < 1 << 63

    _handed_over(data, "calibrations.json", taken)


def _handed_over(data: bytes, name: str, load: Callable[[Path], object]) -> None:
    path = Path(_store()[1].name) / name
    path.write_bytes(data)
    said = ""
    try:
        load(path)
    except WattrailError as error:
        said = str(error)
    assert said.isprintable(), f"not printable: {said!r}"
    assert len(said) < 1000 + len(str(path)), f"too long: {said!r}"


OPTIONS: Final = (
    Option("baud", number_in(int, 300, 4_000_000), 4800, ""),
    Option("volts", number_in(float, 0.0, 400.0), 230.0, ""),
    Option("pace", choice("fast", "real"), "fast", ""),
    Option("simulated", boolean, False, ""),
)


def url(data: bytes) -> None:
    """A URL, as a command line hands it over: taken apart, or refused as one."""
    text = data.decode("utf-8", "surrogateescape")
    with suppress(UrlError):
        found = split(text)
        assert found.text == text
        assert found.port is None or 0 <= found.port <= 65535
        assert found.host.encode("idna") is not None
        assert "\0" not in found.path
        with suppress(UrlError):
            assert set(read_options(found, OPTIONS)) == {option.name for option in OPTIONS}
        assert check_url(text) == text


def redaction(data: bytes) -> None:
    """The first 12 bytes are a key: it is planted between the rest, and the second pass finds nothing of it."""
    key, rest = data[:12].decode("latin-1"), data[12:].decode("utf-8", errors="replace")
    redactor = Redactor([Private(PrivateKind.KEY, key)])
    middle = len(rest) // 2
    hidden = redactor.redact(f"{rest[:middle]} {key} {rest[middle:]}")
    assert leaks(hidden, redactor.values) == ()
