"""``wattrail meter key``."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from wattrail.cli import clock, output
from wattrail.cli.exits import UsageError
from wattrail.cli.image.files import load
from wattrail.credentials import Credentials, Secrets, keep_in_file, keep_in_keyring
from wattrail.errors import ImageError
from wattrail.image.inspection import Inspection, inspect_image
from wattrail.image.recognise import plain_app
from wattrail.image.tuya_pairing import TuyaPairing, find_pairing
from wattrail.network_meters.tuya_frames import TuyaVersion
from wattrail.sanitize import printable
from wattrail.urls import PortUrl, read_options, split

__all__ = ["key"]


def key(
    device: Annotated[str, Parameter(help="Where the meter is: tuya://192.168.1.22, or a whole URL of it.")],
    dump: Annotated[Path, Parameter(help="A dump of its flash, of the time after it was paired.")],
    *,
    login: Annotated[str, Parameter(help="Name of the login under which the key is stored; else the host.")] = "",
    keyring: Annotated[
        bool, Parameter(help="Store it in the system's password store, in place of the secrets file.")
    ] = False,
) -> None:
    """Take a meter's local key out of a dump, prove it, and store it.

    For a meter with Tuya's stock firmware. Neither the key nor the device id is shown: they go into the secrets file,
    which only you may read, or into the password store. Says the URL that reads the meter.
    """
    url = _url(device)
    name = login or url.query.get("login", "") or url.host
    # Asked before anything is read: a key that works is never replaced by one that may not.
    if Secrets().find(name) is not None:
        raise UsageError(
            f"a login named {printable(name)!r} is stored already", hint="choose another one: --login NAME"
        )
    timeout_s = _timeout_s(url)
    found = inspect_image(load(dump))
    pairing = _pairing(dump, found)
    version = _version(url, pairing)
    device_id = url.query.get("id", "") or pairing.device_id
    # Proven before it is stored: each pairing makes a new key, and the dump may be older than the last.
    proven = asyncio.run(_proven(url, timeout_s, version, device_id, pairing))
    stored = Credentials(device_id, proven)
    if keyring:
        keep_in_keyring(name, stored)
        place = "the system's password store"
    else:
        place = str(keep_in_file(name, stored))
    output.note(f"the meter has proven its local key; it is stored as {printable(name)!r} in {place}")
    print(_reading_url(url, version, name))


def _url(text: str) -> PortUrl:
    url = split(text if "://" in text else f"tuya://{text}")
    if url.scheme != "tuya" or not url.host:
        raise UsageError(f"{str(url)!r} is not a meter with Tuya's firmware", hint="write it like tuya://192.168.1.22")
    return url


def _pairing(dump: Path, found: Inspection) -> TuyaPairing:
    """What the dump says. Raises ImageError where there is no key in it."""
    if found.storage is None:
        raise ImageError(f"{printable(str(dump))}: {found.storage_answer}", hint=found.storage_hint)
    pairing = find_pairing(found.storage, plain_app(found.image))
    if not pairing.candidates:
        raise ImageError(
            f"{printable(str(dump))}: Tuya's settings hold no local key",
            hint="pair the meter with its app first, then read its flash: the key comes with the pairing",
        )
    return pairing


def _version(url: PortUrl, pairing: TuyaPairing) -> TuyaVersion:
    text = url.query.get("version", "") or pairing.version
    if text not in list(TuyaVersion):
        raise UsageError(
            f"the dump does not name the version of the protocol, and the URL says {printable(text) or 'none'}",
            hint=f"add ?version= to the URL: {', '.join(TuyaVersion)}",
        )
    return TuyaVersion(text)


def _timeout_s(url: PortUrl) -> float:
    """Seconds for an answer, which the source of such a meter takes from the same option. Raises UrlError."""
    from wattrail.sources.tuya_opening import OPTIONS

    option = next(one for one in OPTIONS if one.name == "timeout")
    given = {name: value for name, value in url.query.items() if name == option.name}
    return float(str(read_options(replace(url, query=given), [option])[option.name]))


async def _proven(url: PortUrl, timeout_s: float, version: TuyaVersion, device_id: str, pairing: TuyaPairing) -> str:
    from wattrail.sources.tuya import TuyaPlace
    from wattrail.sources.tuya_opening import PORT
    from wattrail.sources.tuya_proof import proven_key

    place = TuyaPlace(url.host, url.port or PORT, timeout_s)
    # Without the query, which may hold the device id: errors quote this.
    where, epoch_s = str(url).partition("?")[0], int(clock.CLOCK.now().timestamp())
    return await proven_key(where, place, version, device_id, pairing.candidates, epoch_s=epoch_s)


def _reading_url(url: PortUrl, version: TuyaVersion, name: str) -> str:
    """The URL with what the dump has added; what its data points mean is left to the person where nothing says it."""
    query = {**url.query, "version": version.value}
    if name != url.host:
        query["login"] = name
    if "board" not in query and "dps" not in query:
        query["board"] = "BOARD"
        output.note("put the board in place of BOARD: 'wattrail board match' on the dump, or docs/sources.md, Tuya")
    place = url.host if url.port is None else f"{url.host}:{url.port}"
    return f"tuya://{place}?" + "&".join(f"{option}={value}" for option, value in query.items())
