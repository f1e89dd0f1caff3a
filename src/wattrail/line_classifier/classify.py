"""Classifies what arrives on a UART: a chip's answer, TuyaMCU, meter chips, a log, our own echo, noise.

Every sender is recognised by what only it sends: a BK7231 by its reply to LinkCheck, a TuyaMCU, a BL0942 and a CSE7766
by frames with a checksum, a log by its words. Bytes sent at another rate have none of these and are garbage, so any
other report also confirms the rate.

Source: bk-boot/packets for answers; banners: bk-boot/link; BL0942: bl0942-ds/uart-frame; CSE7766: cse7766-ds/frame;
TuyaMCU frames as Tuya's general serial protocol describes them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from itertools import combinations
from typing import Final, NamedTuple

from wattrail.bootrom.commands import LINK_CHECK
from wattrail.bootrom.link import REPLY_START, REQUEST_START, encode_request
from wattrail.wire import inverted_sum

__all__ = [
    "HEARD_LIMIT", "LISTEN_RATES", "SHOWN_LIMIT", "LineReport", "ListenRate", "TrafficKind", "classify", "clearest",
]  # fmt: skip

HEARD_LIMIT: Final = 16384
"""Bytes that are examined, the first ones: more than a second at 115200 baud, enough to recognise any sender."""

SHOWN_LIMIT: Final = 48


class TrafficKind(Enum):
    """What can arrive on a serial line, the least specific first."""

    SILENCE = "silence"
    GARBAGE = "garbage"
    BREAK = "line low"
    ECHO = "own echo"
    TEXT = "text"
    BL0942 = "BL0942"
    CSE7766 = "CSE7766"
    TUYA_MCU = "TuyaMCU"
    HALF_ANSWER = "half an answer"
    LINK = "answer"


_SPECIFICITY: Final = tuple(TrafficKind)


@dataclass(frozen=True, slots=True)
class LineReport:
    """What was received at one rate in one span of listening.

    ``count`` is in the kind's own unit: answers, frames, echoed requests, else bytes. ``shown`` is the evidence,
    48 bytes at most; ``words`` describe it. ``banners`` counts boot banners, one a start of the chip. ``from_module``:
    the sender, where frames tell: the module itself, or the device connected to it.
    """

    kind: TrafficKind
    baud: int
    count: int
    shown: bytes
    words: str
    banners: int = 0
    from_module: bool | None = None


class ListenRate(NamedTuple):
    """A rate to listen at, and who may be sending at it."""

    baud: int
    reason: str


LISTEN_RATES: Final = tuple(
    ListenRate(*row)
    for row in (
        (115200, "boot ROM, bootloader and the logs of most firmware"),
        (9600, "a TuyaMCU, or a BL0942 that is strapped to it"),
        (4800, "a BL0942"),
        (921600, "a chip that an earlier flasher left at that rate"),
        (460800, "the same, the default of one flasher for the BK7231N"),
        (1_500_000, "the same"),
        (2_000_000, "the same"),
        (230400, "the same"),
        (3_000_000, "the same"),
        (19200, "a BL0942 that its driver has set to it"),
        (38400, "the same"),
    )
)
"""Rates to try, in this order, when what arrives is garbage. Source: bk-boot/hosts for the flashers' rates."""


def clearest(reports: Iterable[LineReport]) -> LineReport | None:
    """The most specific report, None of none."""
    return max(reports, key=lambda report: (_SPECIFICITY.index(report.kind), report.count), default=None)


def classify(data: bytes, baud: int, *, sent: bytes | tuple[bytes, ...] = ()) -> LineReport:
    """What ``data``, all that came in one span of listening at ``baud``, is most likely to be.

    ``sent`` is what we sent in that span, one request or several; echoed LinkChecks are recognised without it. Pass a
    span of a few tenths of a second, not single reads: a frame that is cut in two is garbage twice. Never raises.
    """
    data = data[:HEARD_LIMIT]
    own = (sent,) if isinstance(sent, bytes) else sent
    foreign = _without_own(data, own)
    for recognise in _RECOGNISERS:
        if report := recognise(data, foreign, baud):
            return report
    if not data:
        return LineReport(TrafficKind.SILENCE, baud, 0, b"", "nothing")
    words = f"{_counted(len(data), 'byte')} that make no sense at {baud} baud"
    return LineReport(TrafficKind.GARBAGE, baud, len(data), data[:SHOWN_LIMIT], words)


def _counted(count: int, thing: str) -> str:
    return f"{count} {thing}" + ("s" if count != 1 else "")


# ---- our own bytes

_LINK_CHECK: Final = encode_request(LINK_CHECK)
_LONG_REQUEST: Final = len(_LINK_CHECK)
"""Requests this long do not occur in other traffic by chance; the two bytes of a meter's do."""


def _without_own(data: bytes, sent: tuple[bytes, ...]) -> bytes:
    """What is left when our own requests are taken out."""
    left = data
    for own in (*sent, _LINK_CHECK):
        left = left.replace(own, b"") if own else left
    if all(len(own) < _LONG_REQUEST for own in sent) and _LINK_CHECK not in data and 2 * len(left) > len(data):
        left = data
    cut = len(left) >= len(REQUEST_START) and any(left in own * (len(left) // len(own) + 2) for own in sent if own)
    return b"" if cut else left


def _echo(data: bytes, foreign: bytes, baud: int) -> LineReport | None:
    if len(foreign) == len(data):
        return None
    count = max(1, data.count(_LINK_CHECK))
    words = f"our own bytes coming back, {_counted(len(data) - len(foreign), 'byte')} of our requests"
    return LineReport(TrafficKind.ECHO, baud, count, data[:SHOWN_LIMIT], words)


# ---- the chip

_ANSWER: Final = REPLY_START + b"\x05" + REQUEST_START + bytes((LINK_CHECK.reply_opcode, 0))


def _gapped(frame: bytes, lost: tuple[int, ...]) -> bytes:
    return b"".join(b"." if place in lost else re.escape(frame[place : place + 1]) for place in range(len(frame)))


_PIECE: Final = re.compile(
    b"|".join(
        (
            *(re.escape(_ANSWER[at : at + 4]) for at in (0, 1)),  # cut short, or without its first byte
            *(re.escape(_ANSWER[:at] + _ANSWER[at + 1 :]) for at in (1, 2, 3)),  # another byte lost
            *(_gapped(_ANSWER, lost) for lost in combinations(range(len(_ANSWER)), 2)),  # two bytes damaged
            _gapped(REPLY_START + b"." + REQUEST_START, (2,)),  # the head of the reply to something else
        )
    ),
    re.DOTALL,
)
"""What is left of an answer after damage. By chance it occurs once in 2**31 random bytes."""


def _link(data: bytes, foreign: bytes, baud: int) -> LineReport | None:
    count, at = data.count(_ANSWER), data.find(_ANSWER)
    if not count:
        return None
    banners = len(_BANNER.findall(data))
    words = f"the chip's answer at {baud} baud, {_counted(count, 'time')}" + (", and a boot banner" if banners else "")
    return LineReport(TrafficKind.LINK, baud, count, data[at : at + SHOWN_LIMIT], words, banners)


def _half_answer(data: bytes, foreign: bytes, baud: int) -> LineReport | None:
    pieces = [piece.start() for piece in _PIECE.finditer(data)]
    if not pieces and len(data) >= len(REPLY_START) and _ANSWER.startswith(data):
        pieces = [0]
    if not pieces:
        return None
    shown = data[pieces[0] : pieces[0] + SHOWN_LIMIT]
    words = f"{_counted(len(pieces), 'damaged piece')} of the chip's answer at {baud} baud"
    return LineReport(TrafficKind.HALF_ANSWER, baud, len(pieces), shown, words)


# ---- other devices

_TUYA_HEAD: Final = b"\x55\xaa"
_TUYA_MIN_BYTES: Final = 7
_TUYA_MAX_BYTES: Final = 1024
"""Modules receive no more; a greater length does not belong to a frame."""
_TUYA_MAX_VERSION: Final = 3
"""Versions are 0 for a frame of the module, 1 to 3 for one of a mains-powered microcontroller; 0 also on batteries."""

_TUYA_COMMANDS: Final = {
    0x00: "heartbeat",
    0x01: "product information",
    0x02: "working mode",
    0x03: "network state",
    0x04: "pairing",
    0x05: "pairing",
    0x06: "set a data point",
    0x07: "report of a data point",
    0x08: "query of all data points",
    0x1C: "local time",
    0x24: "signal strength",
    0x2B: "query of the network state",
    0x34: "extended service",
}


def _tuya_frames(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Frames with a correct checksum, each with its offset."""
    at = data.find(_TUYA_HEAD)
    while at >= 0:
        end = at + _TUYA_MIN_BYTES + int.from_bytes(data[at + 4 : at + 6], "big")
        frame = data[at:end]
        whole = _TUYA_MIN_BYTES <= len(frame) == end - at <= _TUYA_MAX_BYTES
        if whole and frame[2] <= _TUYA_MAX_VERSION and sum(frame[:-1]) & 0xFF == frame[-1]:
            yield at, frame
            at = data.find(_TUYA_HEAD, end)
        else:
            at = data.find(_TUYA_HEAD, at + 1)


def _tuya(data: bytes, foreign: bytes, baud: int) -> LineReport | None:
    found = list(_tuya_frames(data))
    if not found:
        return None
    at, _ = found[0]
    from_module = any(frame[2] == 0 for _, frame in found)
    names = list(dict.fromkeys(_TUYA_COMMANDS.get(frame[3], f"command {frame[3]:02X}") for _, frame in found))
    words = f"{_counted(len(found), 'TuyaMCU frame')} at {baud} baud, {_speaker(from_module)}: {', '.join(names[:3])}"
    shown = data[at : at + SHOWN_LIMIT]
    return LineReport(TrafficKind.TUYA_MCU, baud, len(found), shown, words, from_module=from_module)


def _speaker(from_module: bool) -> str:
    return "said by the module" if from_module else "said by the device that shares the module's UART"


_METER_RATES: Final = (4800, 9600, 19200, 38400)
_METER_REQUEST: Final = b"\x58\xaa"
_METER_PACKET: Final = re.compile(b"\x55.{17}\0.{2}\0.", re.DOTALL)


def _bl0942(data: bytes, foreign: bytes, baud: int) -> LineReport | None:
    if baud not in _METER_RATES:
        return None
    packets = [found for found in _METER_PACKET.finditer(foreign) if _is_packet(found[0])]
    requests = foreign.count(_METER_REQUEST)
    if packets:
        count, at, what = len(packets), packets[0].start(), "packet"
    elif requests and 2 * requests >= 0.75 * len(foreign):  # two bytes prove little, so nearly all must be requests
        count, at, what = requests, 0, "request"
    else:
        return None
    from_module = not packets
    words = f"{_counted(count, f'BL0942 {what}')} at {baud} baud, {_speaker(from_module)}"
    return LineReport(TrafficKind.BL0942, baud, count, foreign[at : at + SHOWN_LIMIT], words, from_module=from_module)


def _is_packet(packet: bytes) -> bool:
    return any(inverted_sum(bytes((0x58 | address,)) + packet[:-1]) == packet[-1] for address in range(4))


_CSE7766_FRAME: Final = re.compile(b"[\x55\xaa\xf0-\xff]\x5a.{22}", re.DOTALL)
"""24 bytes that the chip sends unasked about ten times a second; the last is the sum of those after the header."""


def _cse7766(data: bytes, foreign: bytes, baud: int) -> LineReport | None:
    frames = [found for found in _CSE7766_FRAME.finditer(data) if sum(found[0][2:23]) & 0xFF == found[0][23]]
    if not frames:
        return None
    words = f"{_counted(len(frames), 'frame')} of a CSE7766 (or HLW8032, CSE7759B) at {baud} baud"
    at = frames[0].start()
    return LineReport(TrafficKind.CSE7766, baud, len(frames), data[at : at + SHOWN_LIMIT], words, from_module=False)


# ---- text

_BANNER: Final = re.compile(rb"BK72\d\d[A-Za-z]?_\d+\.\d+\.\d+")
_WORD: Final = re.compile(rb"(?<![A-Za-z])(?:[A-Za-z][a-z]{2,}|[A-Z]{3,})(?![A-Za-z])")
_UNPRINTABLE: Final = re.compile(rb"[^\t\r\n\x1b -~]")
_MIN_WORDS: Final = 3
_MIN_LETTERS: Final = 3
"""Different letters in a word: a repeated bit pattern is not a word."""


def _text(data: bytes, foreign: bytes, baud: int) -> LineReport | None:
    banners = _BANNER.findall(foreign)
    if banners:
        at, what = foreign.find(banners[0]), f"boot banner {banners[0].decode()}, {_counted(len(banners), 'time')}"
    elif _reads_as_text(foreign):
        at, what = 0, f"{_counted(len(foreign), 'byte')} of readable lines"
    else:
        return None
    shown = foreign[at : at + SHOWN_LIMIT]
    return LineReport(TrafficKind.TEXT, baud, len(foreign), shown, f"a log at {baud} baud: {what}", len(banners))


def _reads_as_text(data: bytes) -> bool:
    """Several words and few unprintable bytes: a wrong rate makes printable bytes too, but repeats them."""
    words = [word for word in _WORD.findall(data) if len(set(word.lower())) >= _MIN_LETTERS]
    printable = len(data) - len(_UNPRINTABLE.findall(data))
    in_words = sum(map(len, words))
    return len(set(words)) >= _MIN_WORDS and printable >= 0.8 * len(data) and in_words >= 0.2 * len(data)


def _break(data: bytes, foreign: bytes, baud: int) -> LineReport | None:
    if not data or data.strip(b"\0"):
        return None
    words = f"{_counted(len(data), 'zero byte')} at {baud} baud and nothing else: the line stays low"
    return LineReport(TrafficKind.BREAK, baud, len(data), data[:SHOWN_LIMIT], words)


_RECOGNISERS: Final[tuple[Callable[[bytes, bytes, int], LineReport | None], ...]] = (
    _link,
    _half_answer,
    _tuya,
    _bl0942,
    _cse7766,
    _text,
    _echo,
    _break,
)
"""Tried in this order, the most certain first. Each takes all bytes, those that are not our own, and the rate."""
