"""What the programs in flash say of themselves: name, version, the SDK they were built with, and when.

    < TUYA IOT SDK V:2.3.1 BS:40.00_PT:2.2_LAN:3.3_CAD:1.0.3_CD:1.0.0 >      Tuya's SDK, until 2022
    < TuyaOS V:3.8.18 BS:40.00_... >                                         and since
    < BUILD AT:2021_09_24_18_20_51 BY embed FOR ty_iot_sdk AT bk7231n >      when and for which chip
    oem_bk7231n_plug, bk7231n_common_user_config_ty                          the product: a text of its own
    OpenBK7231N 1.18.300 Aug  2 2026 19:38:04                                OpenBeken
    LibreTiny v1.8.0 on generic-bk7231n-qfn32-tuya, compiled at ...          LibreTiny, and ESPHome on it

Source: bk7231-image/build-names.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from wattrail.image.chips import strings_that_fit

__all__ = ["ProgramIdentity", "identify_program"]

MAX_TEXT: Final = 96
"""Characters of a name or version that are shown."""

_TUYA: Final = re.compile(rb"< (?P<sdk>TUYA IOT SDK|TuyaOS) V:(?P<version>[\w.-]{1,40}) BS:(?P<base>[\d.]{1,12})_")
_BUILT: Final = re.compile(
    rb"< (?:tuya_iot_lib )?BUILD AT:(?P<at>\d{4}(?:_\d\d){5}) BY [\w.-]{1,40}(?: FOR (?P<project>[\w.-]{1,60}))? AT "
)
_PRODUCT: Final = re.compile(rb"(?P<name>(?:oem_bk7231[a-z]?|bk7231[a-z]?_common)_[\w.-]{1,60})\0")
_OPENBEKEN: Final = re.compile(
    rb"Open(?P<chip>BK72\d\d[A-Z]?)[_ ](?P<version>[\w.+-]{1,60})(?: (?P<at>[A-Z][a-z]{2} [ \d]\d \d{4} [\d:]{8}))?\0"
)
_LIBRETINY: Final = re.compile(
    rb"LibreTiny v(?P<version>\d[\w.+-]{0,30}) on (?P<board>[\w.-]{1,60}), compiled at (?P<at>[\w: ]{1,30})"
)
_ESPHOME: Final = re.compile(rb"ESPHome version (?P<version>\d{4}\.\d{1,2}\.\d[\w.-]{0,20})")


@dataclass(frozen=True, slots=True)
class ProgramIdentity:
    """``firmware`` is whose it is, ``product`` the name of the build; None for what it does not say.

    ``sdk`` is the SDK with its version, ``built`` the time as the build wrote it.
    """

    firmware: str
    product: str | None = None
    version: str | None = None
    sdk: str | None = None
    built: str | None = None


def identify_program(code: bytes) -> ProgramIdentity | None:
    """Which firmware some plain code is; None where it does not say."""
    for identify in (_openbeken, _esphome, _tuya):
        found = identify(code)
        if found is not None:
            return found
    return None


def _openbeken(code: bytes) -> ProgramIdentity | None:
    found = [
        match
        for match in strings_that_fit(code, b"OpenBK72", _OPENBEKEN)
        # OpenBK7231T_App is the repository: its name is in every build. Source: bk7231-image/build-names
        if match["at"] or match["version"][:1].isdigit()
    ]
    best = next((match for match in found if match["at"]), found[0] if found else None)
    if best is None:
        return None
    return ProgramIdentity("OpenBeken", f"Open{_text(best['chip'])}", _text(best["version"]), None, _text(best["at"]))


def _esphome(code: bytes) -> ProgramIdentity | None:
    library = _first(code, _LIBRETINY, b"LibreTiny v")
    if library is None:
        return None
    esphome = _first(code, _ESPHOME, b"ESPHome version ")
    return ProgramIdentity(
        "ESPHome" if esphome else "LibreTiny",
        _text(library["board"]),
        _text((esphome or library)["version"]),
        f"LibreTiny {_text(library['version'])}",
        _text(library["at"]),
    )


def _tuya(code: bytes) -> ProgramIdentity | None:
    sdk = _first(code, _TUYA, b"< TUYA IOT SDK V:", b"< TuyaOS V:")
    built = _first(code, _BUILT, b"< BUILD AT:", b"< tuya_iot_lib BUILD AT:")
    product = _first(code, _PRODUCT, b"oem_bk7231", b"bk7231")
    if sdk is None and built is None:
        return None
    project = _text(product["name"]) if product else _text(built["project"]) if built else None
    version = f"{_text(sdk['sdk'])} {_text(sdk['version'])}, base {_text(sdk['base'])}" if sdk else None
    return ProgramIdentity("Tuya", project, None, version, _date(built["at"]) if built else None)


def _first(code: bytes, pattern: re.Pattern[bytes], *starts: bytes) -> re.Match[bytes] | None:
    """The first string of the code that fits a pattern; ``starts`` are the ways in which one begins."""
    return next((found for start in starts for found in strings_that_fit(code, start, pattern)), None)


def _date(text: bytes) -> str:
    year, month, day, hour, minute, second = text.decode("ascii").split("_")
    return f"{year}-{month}-{day} {hour}:{minute}:{second}"


def _text(found: bytes | None) -> str | None:
    return found.decode("ascii", "replace").strip()[:MAX_TEXT] if found else None
