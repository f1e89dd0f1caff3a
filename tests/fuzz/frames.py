"""What must hold for any bytes on the wires of a chip: the host's classifier, the chip's link and its own receiver."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Final

from tests.bootrom.golden import ANSWERED
from wattrail.bootrom import BootLink, ChipEvidence, Identity, identify, problem
from wattrail.bootrom.constants import CHIP_ID_N, EFUSE_KEY_BYTES
from wattrail.bootrom.events import NEED_DATA, DamagedReply, Event
from wattrail.bootrom.identify import POLL_LIMIT, EfuseBytes, read_efuse
from wattrail.bootrom.link import (
    BUFFER_LIMIT,
    MAX_LONG_LENGTH,
    REPLY_START,
    SKIPPED_LIMIT,
    Frame,
    NoFrame,
    PartialFrame,
    encode_request,
    take_frame,
)
from wattrail.errors import TargetError
from wattrail.line_classifier import HEARD_LIMIT, SHOWN_LIMIT, TrafficKind, classify
from wattrail.twin.bootrom.receiver import FrameReceiver, ReceivedCommand, ReceivedPage

__all__ = ["boot_link", "efuse", "evidence", "frame", "line_report", "receiver"]

MOST_FRAME: Final = MAX_LONG_LENGTH + 9
RATES: Final = (115200, 230400, 460800, 576000, 921600, 1_000_000, 1_500_000, 2_000_000, 3_000_000)
LONGEST_BODY: Final = 0xFFFF
"""What the length field of a long request can say."""


def frame(data: bytes) -> None:
    """What stands at any place is a frame, the beginning of one, or none; more bytes never unsay a frame."""
    at = data.find(REPLY_START)
    while at >= 0:
        found = take_frame(data, at)
        if isinstance(found, Frame):
            assert data.startswith(found.raw, at)
            assert len(found.raw) <= MOST_FRAME
            assert isinstance(take_frame(data[: at + len(found.raw) - 1], at), PartialFrame)
        elif isinstance(found, PartialFrame):
            assert len(data) - at < found.want <= MOST_FRAME
        else:
            assert isinstance(found, NoFrame)
            assert found.why
        at = data.find(REPLY_START, at + 1)


def boot_link(data: bytes) -> None:
    """A link that hears anything, in any portions, keeps its caps and comes to the same."""
    if len(data) < 2:
        return
    row, step, data = ANSWERED[data[0] % len(ANSWERED)], 1 + data[1], data[2:]
    whole, dripping = _conversation(row, data, len(data) or 1), _conversation(row, data, step)
    assert whole == dripping or len(data) > BUFFER_LIMIT  # then what is dropped depends on the portions
    assert len(whole) <= len(data) + 1


def _conversation(row: tuple, data: bytes, step: int) -> list[Event]:
    link, events = BootLink(), []
    link.request(row[0], row[2], **row[1])
    for place in range(0, len(data), step):
        link.receive(data[place : place + step])
        while (event := link.next_event()) is not NEED_DATA:
            events.append(event)
        assert len(link._buffer) <= BUFFER_LIMIT
        assert len(link._skipped) <= SKIPPED_LIMIT
    events.append(link.end())
    for event in events:
        problem(row[0], event)
    # Why it was damaged quotes as many bytes as had come when that was plain.
    return [replace(event, why="") if isinstance(event, DamagedReply) else event for event in events]


def evidence(data: bytes) -> None:
    """Whatever a chip says of itself, it gets a name only for a reason, and none where nothing was asked."""
    if not data:
        return
    how, rest = data[0], data[1:]
    said = ChipEvidence(
        chip_id=CHIP_ID_N if how & 1 else int.from_bytes(rest[:4], "little") if how & 2 else None,
        chip_id_silent=bool(how & 4),
        boot_version=rest[4:20] if how & 8 else None,
        boot_version_silent=bool(how & 16),
        efuse=EfuseBytes(rest[20:36], tuple(bool(byte & 1) for byte in rest[36:52])) if how & 32 else None,
        app_head=rest[52:68] if how & 64 else None,
    )
    found = identify(said)
    assert isinstance(found, Identity)
    assert found.reasons
    assert found.chip is None or found.responder is not None
    assert found.chip is None or said.chip_id == CHIP_ID_N or (said.boot_version or b"").startswith(b"BK7231S_")


def efuse(data: bytes) -> None:
    """A controller that answers anything is read to the end, or given up; no request is one that does not fit."""
    steps, turns = read_efuse(), 0
    with suppress(TargetError, StopIteration):
        step = next(steps)
        while turns <= EFUSE_KEY_BYTES * (POLL_LIMIT + 3):
            encode_request(step.command, fields=step.fields)
            at = 4 * turns % (len(data) or 1)
            step, turns = steps.send(int.from_bytes(data[at : at + 4], "little")), turns + 1
        raise AssertionError("the controller is asked for ever")


def line_report(data: bytes) -> None:
    """Anything received has a name, words and a bounded piece of evidence."""
    if len(data) < 2:
        return
    baud = (4800, 9600, 19200, 38400, *RATES)[data[0] % (4 + len(RATES))]
    sent, data = data[2 : 2 + data[1] % 32], data[2:]
    heard = classify(data, baud, sent=sent)
    answer = bytes.fromhex("04 0E 05 01 E0 FC 01 00")
    assert (heard.kind is TrafficKind.LINK) == (answer in data[:HEARD_LIMIT])
    assert len(heard.shown) <= SHOWN_LIMIT
    assert heard.count <= HEARD_LIMIT
    assert heard.words
    assert heard.baud == baud


def receiver(data: bytes) -> None:
    """The chip's receiver always wants at least a byte, holds no more than a body, and hears what was said."""
    if len(data) < 2:
        return
    uart, step = FrameReceiver(), 1 + data[1]
    data = data[2:]
    said, pages = 0, 0
    for piece in _portions(uart, data, step):
        for found in uart.feed(piece):
            said += isinstance(found, ReceivedCommand)
            pages += isinstance(found, ReceivedPage)
            assert len(found.body if isinstance(found, ReceivedCommand) else found.data) <= LONGEST_BODY
        assert len(uart._body) <= LONGEST_BODY
    assert said <= len(data) // 5
    assert pages * 256 <= len(data)


def _portions(uart: FrameReceiver, data: bytes, step: int) -> Iterator[bytes]:
    place = 0
    while place < len(data):
        assert uart.missing >= 1, "a receiver that wants nothing is fed for ever"
        piece = data[place : place + min(step, uart.missing)]
        place += len(piece)
        yield piece
