"""The configuration of OpenBeken: one structure at the start of the sector of network parameters, not packed.

    "CFG"  u8 checksum  u32 version  fields of ``wattrail.openbeken``, most of them texts of fixed room

The checksum is a CRC-8 (0x8C, reflected, from 0) over everything from the version on, in which checksum and data byte
are signed: each shift to the right copies the highest bit, so that no ordinary CRC-8 gives it. Passwords are in clear.
An edit changes the bytes of its field and the checksum; every other byte stays, also where no field is known.
Source: openbeken/configuration.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Final

from wattrail.bk7231 import Chip
from wattrail.errors import ChecksumError, ConfigError, ImageError
from wattrail.image.layout import LAYOUTS, SECTOR, Partition
from wattrail.openbeken import (
    CALIBRATION_SLOTS,
    CONFIGURATION_BYTES,
    CURRENT_VERSION,
    DEFAULT_GROUPS,
    FIELDS,
    FLAG_COUNT,
    MAGIC,
    PINS,
    ROLES,
    SECRET_FIELDS,
    VERSION_BYTES,
    ConfigurationField,
    FieldKind,
    Flag,
    field_offset,
    text_capacity,
)

__all__ = [
    "OpenBekenConfiguration",
    "PinSetting",
    "configuration_place",
    "decode_configuration",
    "default_configuration",
    "find_configuration",
    "signed_crc8",
]

_HEAD: Final = 8
_CHECKSUM_AT: Final = 3
_NUMBERS: Final[Mapping[FieldKind, str]] = {FieldKind.U8: "<B", FieldKind.U16: "<H", FieldKind.U32: "<I"}
_TEXTS: Final = frozenset({FieldKind.TEXT, FieldKind.TEXT_OR_FULL})


@dataclass(frozen=True, slots=True)
class PinSetting:
    """What a pin does: the number of its role in ``ROLES``, and the channels it is linked to."""

    role: int
    channel: int = 0
    channel2: int = 0

    @property
    def role_name(self) -> str:
        """As the firmware calls it, or the number of a role that is newer than this table."""
        return ROLES[self.role] if self.role < len(ROLES) else str(self.role)


@dataclass(frozen=True, slots=True)
class OpenBekenConfiguration:
    """A configuration, immutable: each ``with_`` returns another one.

    ``data`` is the structure as it lies in flash; ``chip`` decides where some fields are, None for the usual places.
    Names of fields are those of ``wattrail.openbeken.FIELDS``; a name of another kind of field is a KeyError.
    """

    data: bytes = field(repr=False)
    chip: Chip | None = None

    @property
    def version(self) -> int:
        """Of the structure."""
        return self.number("version")

    @property
    def flags(self) -> frozenset[int]:
        """Numbers of the flags that are set."""
        both = self.number("flags_low") | self.number("flags_high") << 32
        return frozenset(n for n in range(64) if both >> n & 1)

    @property
    def pins(self) -> Mapping[int, PinSetting]:
        """By number of the GPIO: every pin with a role or a channel."""
        tables = (self.raw("pin_roles"), self.raw("pin_channels"), self.raw("pin_channels2"))
        return {pin: PinSetting(*row) for pin, row in enumerate(zip(*tables, strict=True)) if any(row)}

    @property
    def calibration(self) -> tuple[float | None, ...]:
        """Counts for each volt, ampere and watt, then what belongs to some drivers; None: the driver's default.

        Each slot is a float, or an integer for some of the later slots of some drivers.
        """
        slots = struct.unpack(f"<{CALIBRATION_SLOTS}f", self.raw("calibration"))
        # Four zero bytes stand for no constant: the driver takes its own. Source: openbeken/configuration
        return tuple(value if any(self._slot(n)) else None for n, value in enumerate(slots))

    def text(self, name: str) -> str:
        """A text field; empty where the version of the structure has no such field."""
        if not self._has(_known(name, _TEXTS)):
            return ""
        return self.raw(name).split(b"\0", 1)[0].decode("utf-8", errors="replace")

    def number(self, name: str) -> int:
        """A number field; 0 where the version of the structure has no such field."""
        known = _known(name, _NUMBERS)
        return int.from_bytes(self.raw(name), "little") if self._has(known) else 0

    def raw(self, name: str) -> bytes:
        """The bytes of any field."""
        start, length = self._place(name)
        return self.data[start : start + length]

    def with_text(self, name: str, text: str) -> OpenBekenConfiguration:
        """With a text in place of another. Raises ConfigError if it does not fit; what was behind it is cleared."""
        stored, room = text.encode(), text_capacity(_known(name, _TEXTS).name, self.version)
        if len(stored) > room or b"\0" in stored:
            # A password must not be in an error, not even the one that does not fit.
            shown = "" if name in SECRET_FIELDS else f" {text[:80]!r}"
            reason = "a NUL in it" if b"\0" in stored else f"{len(stored)} bytes"
            raise ConfigError(f"{name}:{shown} has {reason}, OpenBeken takes at most {room} bytes of text")
        return self.with_raw(name, stored.ljust(self._place(name)[1], b"\0"))

    def with_number(self, name: str, number: int) -> OpenBekenConfiguration:
        """With a number in place of another. Raises ConfigError if it does not fit."""
        known = _known(name, _NUMBERS)
        if name == "version":
            raise KeyError("the version of the structure is changed by upgraded() only")
        if not 0 <= number < 1 << 8 * known.length:
            raise ConfigError(f"{name}: {number}, expected 0 to {(1 << 8 * known.length) - 1}")
        return self.with_raw(name, struct.pack(_NUMBERS[known.kind], number))

    def with_flags(self, flags: Iterable[int]) -> OpenBekenConfiguration:
        """With exactly these flags set. Raises ConfigError for one that no firmware has."""
        both = 0
        for flag in flags:
            if not 0 <= flag < 64:
                raise ConfigError(f"flag {flag}: OpenBeken has flags 0 to {FLAG_COUNT - 1}")
            both |= 1 << flag
        return self.with_number("flags_low", both & 0xFFFFFFFF).with_number("flags_high", both >> 32)

    def with_pins(self, pins: Mapping[int, PinSetting]) -> OpenBekenConfiguration:
        """With exactly these pins in use; every other one is cleared. Raises ConfigError for a pin there is not."""
        tables = [bytearray(self._place(name)[1]) for name in ("pin_roles", "pin_channels", "pin_channels2")]
        for pin, setting in pins.items():
            row = (setting.role, setting.channel, setting.channel2)
            if not 0 <= pin < PINS or not all(0 <= value <= 0xFF for value in row):
                raise ConfigError(f"pin {pin}, {row}: expected pin 0 to {PINS - 1}; role, channels 0 to 255")
            for table, value in zip(tables, row, strict=True):
                table[pin] = value
        changed = self.with_raw("pin_roles", bytes(tables[0]))
        return changed.with_raw("pin_channels", bytes(tables[1])).with_raw("pin_channels2", bytes(tables[2]))

    def with_calibration(self, slots: Mapping[int, float | None]) -> OpenBekenConfiguration:
        """With these slots of the calibration changed; None is the driver's default."""
        stored = bytearray(self.raw("calibration"))
        for slot, value in slots.items():
            if not 0 <= slot < CALIBRATION_SLOTS:
                raise ConfigError(f"calibration slot {slot}: expected 0 to {CALIBRATION_SLOTS - 1}")
            # Four zero bytes stand for no constant. Source: openbeken/configuration
            struct.pack_into("<f", stored, 4 * slot, value or 0.0)
        return self.with_raw("calibration", bytes(stored))

    def with_raw(self, name: str, stored: bytes) -> OpenBekenConfiguration:
        """With the bytes of a field replaced, as many as it has, and the checksum made to fit."""
        start, length = self._place(name)
        if len(stored) != length or not self._has(FIELDS[name]):
            raise ConfigError(
                f"{name}: {len(stored)} bytes; in version {self.version} of OpenBeken's configuration it has "
                f"{length if self._has(FIELDS[name]) else 0}"
            )
        return OpenBekenConfiguration(
            _with_checksum(self.data[:start] + stored + self.data[start + length :]), self.chip
        )

    def upgraded(self) -> OpenBekenConfiguration:
        """In the newest version of the structure, by the rules of the firmware for what older ones did not have."""
        if self.version == CURRENT_VERSION:
            return self
        old = self if self.version >= 3 else self.with_text("mqtt_client", self.text("short_name"))
        data = old.data.ljust(CONFIGURATION_BYTES, b"\0")
        data = data[:4] + struct.pack("<I", CURRENT_VERSION) + data[_HEAD:]
        return OpenBekenConfiguration(_with_checksum(data), self.chip).with_text("web_password", "")

    def sector(self) -> bytes:
        """The whole sector to be written: the structure, and FF behind it."""
        return self.data.ljust(SECTOR, b"\xff")

    def as_json(self, *, shows_secrets: bool = False) -> dict[str, object]:
        """Every known field by name; a password that is set is ``***`` unless it is asked for."""
        found: dict[str, object] = {name: self._value(name) for name, known in FIELDS.items() if self._has(known)}
        if not shows_secrets:
            found |= {name: "***" for name in SECRET_FIELDS if found.get(name)}
        for name in ("flags_low", "flags_high", "pin_roles", "pin_channels", "pin_channels2"):
            del found[name]
        pins = {
            str(pin): {"role": p.role_name, "channel": p.channel, "channel2": p.channel2}
            for pin, p in self.pins.items()
        }
        return found | {"flags": sorted(self.flags), "pins": pins, "calibration": list(self.calibration)}

    def _value(self, name: str) -> str | int | list[float]:
        match FIELDS[name].kind:
            case FieldKind.TEXT | FieldKind.TEXT_OR_FULL:
                return self.text(name)
            case FieldKind.S16_ARRAY:
                return list(struct.unpack(f"<{FIELDS[name].length // 2}h", self.raw(name)))
            case FieldKind.FLOAT_ARRAY:
                return list(struct.unpack(f"<{FIELDS[name].length // 4}f", self.raw(name)))
            case FieldKind.BYTES if name.startswith("static_"):
                return ".".join(str(byte) for byte in self.raw(name))
            case FieldKind.BYTES:
                return self.raw(name).hex(":" if name == "mac" else " ").upper()
        return self.number(name)

    def _has(self, known: ConfigurationField) -> bool:
        return known.name == "version" or self.version >= known.since

    def _place(self, name: str) -> tuple[int, int]:
        """Start and length of a field, in bytes of the structure."""
        length = text_capacity(name, self.version) + 1 if FIELDS[name].kind is FieldKind.TEXT else FIELDS[name].length
        return field_offset(name, self.chip), length

    def _slot(self, number: int) -> bytes:
        return self.raw("calibration")[4 * number : 4 * number + 4]


def decode_configuration(data: bytes, chip: Chip | None = None) -> OpenBekenConfiguration:
    """The configuration at the start of some bytes.

    Raises ImageError for bytes that hold none, for one cut short and for a version of no known firmware; ChecksumError
    if its checksum is wrong, in which case the firmware would start with its defaults.
    """
    if data[:3] != MAGIC:
        raise ImageError(f"no OpenBeken configuration: {data[:3].hex(' ') or 'nothing'} in place of 43 46 47", offset=0)
    if len(data) < _HEAD:
        raise ImageError(f"the configuration is cut off after {len(data)} of its first {_HEAD} bytes", offset=len(data))
    version = int.from_bytes(data[4:_HEAD], "little")
    length = VERSION_BYTES.get(version)
    if length is None:
        oldest, newest = min(VERSION_BYTES), max(VERSION_BYTES)
        raise ImageError(f"OpenBeken configuration of version {version}, known are {oldest} to {newest}", offset=4)
    if len(data) < length:
        raise ImageError(f"the configuration has {len(data)} of the {length} bytes of version {version}", offset=0)
    got, want = data[_CHECKSUM_AT], signed_crc8(data[4:length])
    if got != want:
        raise ChecksumError(
            f"OpenBeken configuration: checksum {got:02X}, its {length} bytes give {want:02X}",
            hint="the firmware starts with its defaults instead of it; restore one that is whole",
        )
    return OpenBekenConfiguration(bytes(data[:length]), chip)


def default_configuration(chip: Chip, mac: bytes) -> OpenBekenConfiguration:
    """What a build for the chip starts with on a board of this MAC address, but for its web application's address."""
    if len(mac) != 6:
        raise ConfigError(f"a MAC address has 6 bytes, got {len(mac)}: {mac.hex(':')}")
    empty = MAGIC + b"\0" + struct.pack("<I", CURRENT_VERSION)
    made = OpenBekenConfiguration(empty.ljust(CONFIGURATION_BYTES, b"\0"), chip)
    tail = mac[2:].hex().upper()
    # There is no build for M: it runs N's, and names itself so. Source: bk7231-image/build-names
    build = Chip.N if chip is Chip.M else chip
    texts = {
        "name": f"Open{build.value}_{tail}", "short_name": f"obk{tail}", "mqtt_client": f"obk{tail}",
        "mqtt_group": DEFAULT_GROUPS[chip], "mqtt_user": "homeassistant",
        "web_app_root": "https://openbekeniot.github.io/webapp/", "ping_host": "192.168.0.1",
        "ntp_server": "217.147.223.78",
    }  # fmt: skip
    numbers = {"mqtt_port": 1883, "boot_ok_seconds": 5, "button_short": 3, "button_long": 10, "button_repeat": 5}
    for name, text in texts.items():
        made = made.with_text(name, text)
    for name, number in numbers.items():
        made = made.with_number(name, number)
    made = made.with_raw("led_correction", struct.pack("<6f", 1, 1, 1, 2.2, 0.1, 0.1)).with_raw("mac", mac)
    return made.with_flags({Flag.BROADCAST_SELF_STATE})


def configuration_place(chip: Chip) -> Partition:
    """The sector of flash that holds the configuration on a chip."""
    return LAYOUTS[chip]["config"]


def find_configuration(
    flash: bytes, base: int = 0, chip: Chip | None = None
) -> tuple[int, OpenBekenConfiguration] | None:
    """Where in flash a configuration stands and what it says, in bytes of flash that begin at ``base``.

    Without a chip at the place of any; None if no place holds one. Raises as ``decode_configuration`` does.
    """
    for place in _places(chip):
        at = place.start - base
        if at >= 0 and flash[at : at + len(MAGIC)] == MAGIC:
            return place.start, decode_configuration(flash[at : at + place.length], chip)
    return None


def signed_crc8(data: bytes) -> int:
    """CRC-8 as the firmware forms it: polynomial 0x8C, reflected, from 0, with arithmetic shifts."""
    crc = 0
    for byte in data:
        crc = _step(crc, byte)
    return crc


# At most 65,536 results, and every edit sums 3,580 bytes again.
@cache
def _step(crc: int, byte: int) -> int:
    for _ in range(8):
        is_odd = (crc ^ byte) & 1
        crc = crc >> 1 | crc & 0x80
        byte = byte >> 1 | byte & 0x80
        crc ^= 0x8C if is_odd else 0
    return crc


def _places(chip: Chip | None) -> Sequence[Partition]:
    if chip is not None:
        return (configuration_place(chip),)
    return tuple(sorted({layout["config"] for layout in LAYOUTS.values()}, key=lambda place: place.start))


def _with_checksum(data: bytes) -> bytes:
    return data[:_CHECKSUM_AT] + bytes([signed_crc8(data[4:])]) + data[4:]


def _known(name: str, kinds: Iterable[FieldKind]) -> ConfigurationField:
    known = FIELDS[name]
    if known.kind not in kinds:
        raise KeyError(f"{name} is another kind of field: {known.kind.value}")
    return known
