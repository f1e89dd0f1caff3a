"""What is heard on the wire where a chip should answer: the ear of the flasher. Bytes in, a verdict out.

Every talker is known by what it cannot help saying: the chip by its answer, a TuyaMCU and a BL0942 by frames with a
checksum, a log by its words. Whatever was sent at another rate than it is heard at has none of these and is garbage,
so a verdict also says that the rate is right.

Source: bk-boot/packets for answers; banners: bk-boot/link; BL0942: bl0942-ds/uart-frame; TuyaMCU frames as Tuya's
general serial protocol describes them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from itertools import combinations
from typing import Final, NamedTuple

from wattrail.bootrom.commands import LINK_CHECK
from wattrail.bootrom.frames import REPLY_START, REQUEST_START, encode_request
from wattrail.wire import inverted_sum

__all__ = ["LISTEN_RATES", "Hearing", "ListenRate", "Sound", "classify", "clearest"]


class Sound(Enum):
    """Kinds of what can be heard, the least telling first."""

    SILENCE = "silence"
    GARBAGE = "garbage"
    BREAK = "line low"
    ECHO = "own echo"
    TEXT = "text"
    BL0942 = "BL0942"
    TUYA_MCU = "TuyaMCU"
    HALF_ANSWER = "half an answer"
    LINK = "answer"


_TELLING: Final = tuple(Sound)

HEARD_LIMIT: Final = 16384
"""Bytes looked at, the first ones: more than a second at 115200 baud, and all a talker needs to give itself away."""

SHOWN_LIMIT: Final = 48


@dataclass(frozen=True, slots=True)
class Hearing:
    """What was heard at one rate in one span of listening.

    ``count`` is in the sound's own unit: answers, frames, echoed requests, else bytes. ``shown`` is the evidence,
    48 bytes at most; ``words`` say it. ``banners`` counts boot banners, one a start of the chip. ``from_module`` says
    who spoke where frames tell: the module itself, or the device that speaks to it.
    """

    sound: Sound
    baud: int
    count: int
    shown: bytes
    words: str
    banners: int = 0
    from_module: bool | None = None

    def as_dict(self) -> dict[str, object]:
        """For JSON."""
        return {
            "sound": self.sound.value,
            "baud": self.baud,
            "count": self.count,
            "shown": self.shown.hex(" "),
            "words": self.words,
            "banners": self.banners,
            "from_module": self.from_module,
        }


class ListenRate(NamedTuple):
    """A rate worth listening at, and who may be talking there."""

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
"""Where to listen when what is heard makes no sense, in this order. Source: bk-boot/hosts for the flashers' rates."""


def classify(data: bytes, baud: int, *, sent: bytes = b"") -> Hearing:
    """What ``data``, all that came in one span of listening at ``baud``, is most likely to be.

    ``sent`` is what we sent meanwhile; LinkChecks that come back are known without it. Give it a span of a few tenths
    of a second, not single reads: a frame that is cut in two is garbage twice. Never raises.
    """
    data = data[:HEARD_LIMIT]
    foreign = _without_own(data, sent)
    for ear in _EARS:
        if heard := ear(data, foreign, baud):
            return heard
    if not data:
        return Hearing(Sound.SILENCE, baud, 0, b"", "nothing")
    words = f"{_counted(len(data), 'byte')} that make no sense at {baud} baud"
    return Hearing(Sound.GARBAGE, baud, len(data), data[:SHOWN_LIMIT], words)


def clearest(hearings: Iterable[Hearing]) -> Hearing | None:
    """The most telling of them, None of none."""
    return max(hearings, key=lambda heard: (_TELLING.index(heard.sound), heard.count), default=None)


def _counted(count: int, thing: str) -> str:
    return f"{count} {thing}" + ("s" if count != 1 else "")


# ---- our own bytes

_KNOCK: Final = encode_request(LINK_CHECK)


def _without_own(data: bytes, sent: bytes) -> bytes:
    """What is left when our own requests are taken out."""
    for own in (sent, _KNOCK):
        data = data.replace(own, b"") if own else data
    return b"" if len(data) >= len(REQUEST_START) and data in sent else data


def _echo(data: bytes, foreign: bytes, baud: int) -> Hearing | None:
    if len(foreign) == len(data):
        return None
    count = max(1, data.count(_KNOCK))
    return Hearing(Sound.ECHO, baud, count, data[:SHOWN_LIMIT], f"our own bytes coming back, {count} of our requests")


# ---- the chip

_ANSWER: Final = REPLY_START + b"\x05" + REQUEST_START + bytes((LINK_CHECK.reply_opcode, 0))


def _gapped(frame: bytes, lost: tuple[int, ...]) -> bytes:
    return b"".join(b"." if place in lost else re.escape(frame[place : place + 1]) for place in range(len(frame)))


_PIECE: Final = re.compile(
    b"|".join(
        (
            *(re.escape(_ANSWER[at : at + 4]) for at in (0, 1)),  # cut short, or without its first byte
            *(re.escape(_ANSWER[:at] + _ANSWER[at + 1 :]) for at in (1, 2, 3)),  # another byte lost
            *(_gapped(_ANSWER, lost) for lost in combinations(range(len(_ANSWER)), 2)),  # two bytes bent
            _gapped(REPLY_START + b"." + REQUEST_START, (2,)),  # the head of the reply to something else
        )
    ),
    re.DOTALL,
)
"""What is left of an answer after damage. By chance it stands once in 2**31 random bytes."""


def _link(data: bytes, foreign: bytes, baud: int) -> Hearing | None:
    count, at = data.count(_ANSWER), data.find(_ANSWER)
    if not count:
        return None
    banners = len(_BANNER.findall(data))
    words = f"the chip's answer at {baud} baud, {_counted(count, 'time')}" + (", and a boot banner" if banners else "")
    return Hearing(Sound.LINK, baud, count, data[at : at + SHOWN_LIMIT], words, banners)


def _half_answer(data: bytes, foreign: bytes, baud: int) -> Hearing | None:
    pieces = [piece.start() for piece in _PIECE.finditer(data)]
    if not pieces and len(data) >= len(REPLY_START) and _ANSWER.startswith(data):
        pieces = [0]
    if not pieces:
        return None
    shown = data[pieces[0] : pieces[0] + SHOWN_LIMIT]
    words = f"{_counted(len(pieces), 'damaged piece')} of the chip's answer at {baud} baud"
    return Hearing(Sound.HALF_ANSWER, baud, len(pieces), shown, words)


# ---- other devices

_TUYA_HEAD: Final = b"\x55\xaa"
_TUYA_SHORTEST: Final = 7
_TUYA_LONGEST: Final = 1024
"""Modules receive no more; a greater length is no frame."""
_TUYA_NEWEST: Final = 3
"""Versions are 0 for what the module says, 1 to 3 for a microcontroller on the mains; 0 also for one on batteries."""

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
    """Frames whose checksum is right, each with its place."""
    at = data.find(_TUYA_HEAD)
    while at >= 0:
        end = at + _TUYA_SHORTEST + int.from_bytes(data[at + 4 : at + 6], "big")
        frame = data[at:end]
        whole = _TUYA_SHORTEST <= len(frame) == end - at <= _TUYA_LONGEST
        if whole and frame[2] <= _TUYA_NEWEST and sum(frame[:-1]) & 0xFF == frame[-1]:
            yield at, frame
            at = data.find(_TUYA_HEAD, end)
        else:
            at = data.find(_TUYA_HEAD, at + 1)


def _tuya(data: bytes, foreign: bytes, baud: int) -> Hearing | None:
    found = list(_tuya_frames(data))
    if not found:
        return None
    at, _ = found[0]
    from_module = any(frame[2] == 0 for _, frame in found)
    names = list(dict.fromkeys(_TUYA_COMMANDS.get(frame[3], f"command {frame[3]:02X}") for _, frame in found))
    words = f"{_counted(len(found), 'TuyaMCU frame')} at {baud} baud, {_speaker(from_module)}: {', '.join(names[:3])}"
    shown = data[at : at + SHOWN_LIMIT]
    return Hearing(Sound.TUYA_MCU, baud, len(found), shown, words, from_module=from_module)


def _speaker(from_module: bool) -> str:
    return "said by the module" if from_module else "said by the device that shares the module's UART"


_METER_RATES: Final = (4800, 9600, 19200, 38400)
_METER_REQUEST: Final = b"\x58\xaa"
_METER_PACKET: Final = re.compile(b"\x55.{17}\0.{2}\0.", re.DOTALL)


def _bl0942(data: bytes, foreign: bytes, baud: int) -> Hearing | None:
    if baud not in _METER_RATES:
        return None
    packets = [found for found in _METER_PACKET.finditer(foreign) if _is_packet(found[0])]
    requests = foreign.count(_METER_REQUEST)
    if packets:
        count, at, what = len(packets), packets[0].start(), "packet"
    elif requests and 2 * requests >= 0.75 * len(foreign):  # two bytes prove little: hardly anything else may be there
        count, at, what = requests, 0, "request"
    else:
        return None
    from_module = not packets
    words = f"{_counted(count, f'BL0942 {what}')} at {baud} baud, {_speaker(from_module)}"
    return Hearing(Sound.BL0942, baud, count, foreign[at : at + SHOWN_LIMIT], words, from_module=from_module)


def _is_packet(packet: bytes) -> bool:
    return any(inverted_sum(bytes((0x58 | address,)) + packet[:-1]) == packet[-1] for address in range(4))


# ---- text

_BANNER: Final = re.compile(rb"BK72\d\d[A-Za-z]?_\d+\.\d+\.\d+")
_WORD: Final = re.compile(rb"(?<![A-Za-z])(?:[A-Za-z][a-z]{2,}|[A-Z]{3,})(?![A-Za-z])")
_UNPRINTABLE: Final = re.compile(rb"[^\t\r\n\x1b -~]")
_LEAST_WORDS: Final = 3


def _text(data: bytes, foreign: bytes, baud: int) -> Hearing | None:
    banners = _BANNER.findall(foreign)
    if banners:
        at, what = foreign.find(banners[0]), f"boot banner {banners[0].decode()}, {_counted(len(banners), 'time')}"
    elif _reads_as_text(foreign):
        at, what = 0, f"{_counted(len(foreign), 'byte')} of readable lines"
    else:
        return None
    shown = foreign[at : at + SHOWN_LIMIT]
    return Hearing(Sound.TEXT, baud, len(foreign), shown, f"a log at {baud} baud: {what}", len(banners))


def _reads_as_text(data: bytes) -> bool:
    """Several words, and little else than characters: a wrong rate makes printable bytes too, and repeats itself."""
    words = _WORD.findall(data)
    printable = len(data) - len(_UNPRINTABLE.findall(data))
    in_words = sum(map(len, words))
    return len(set(words)) >= _LEAST_WORDS and printable >= 0.8 * len(data) and in_words >= 0.2 * len(data)


def _break(data: bytes, foreign: bytes, baud: int) -> Hearing | None:
    if not data or data.strip(b"\0"):
        return None
    words = f"{_counted(len(data), 'zero byte')} at {baud} baud and nothing else: the line stays low"
    return Hearing(Sound.BREAK, baud, len(data), data[:SHOWN_LIMIT], words)


_EARS: Final[tuple[Callable[[bytes, bytes, int], Hearing | None], ...]] = (
    _link,
    _half_answer,
    _tuya,
    _bl0942,
    _text,
    _echo,
    _break,
)
"""Asked in this order, the surest first. Each is given all bytes, those that are not our own, and the rate."""
