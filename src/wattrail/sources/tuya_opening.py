"""The options of ``tuya://`` and the source that they make."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from wattrail.clock import Clock
from wattrail.credentials import Secrets
from wattrail.energy_register import Direction
from wattrail.errors import ConfigError, UrlError
from wattrail.network_meters.decoded import is_marked_simulated
from wattrail.network_meters.tuya_frames import TuyaVersion, needs_cipher
from wattrail.network_meters.tuya_map import TuyaMap, board_map, parse_map
from wattrail.network_meters.tuya_meter import TuyaMeter
from wattrail.network_meters.unit_check import UnitCheck
from wattrail.sources.source import SourceCadence
from wattrail.sources.tuya import TuyaPlace, TuyaSource
from wattrail.sources.tuya_key import TuyaAccess
from wattrail.urls import Option, PortUrl, boolean, choice, number_in

__all__ = ["OPTIONS", "PORT", "SILENCE_S", "open_tuya"]

PORT: Final = 6668

SILENCE_S: Final = 3700.0
"""Some devices report once an hour while their app is closed (core#66020)."""

_POWER_S: Final = 150.0
"""How long a power holds at most: many report once a minute (tuya-home-assistant#211), and a report may be lost."""


def _direction(text: str) -> Direction:
    return Direction(choice(*Direction)(text))


OPTIONS: Final = (
    Option(
        "version", lambda text: TuyaVersion(choice(*TuyaVersion)(text)), None, "of the protocol: 3.1, 3.3, 3.4, 3.5"
    ),
    Option("id", str, "", "device id, where it is not the user of the stored login"),
    Option("board", str, "", "board whose stock data points are meant, like pziot-e01"),
    Option("dps", parse_map, None, "data points, like 101:volts/10,102:amps/1000,103:watts/10,109:import/100"),
    Option("direction", _direction, Direction.IMPORT, "what the total of a board adds up: import, export, sum, net"),
    Option("swap", boolean, False, "whether import and export change places: the transformer is the other way round"),
    Option("ask", number_in(float, 0, 3600), 10.0, "seconds between questions to the meter; 0 asks once and listens"),
    Option("update", boolean, True, "whether a meter that only repeats itself is asked to measure"),
    Option("timeout", number_in(float, 0.1, 60), 5.0, "seconds for a connection, and for an answer"),
)


def open_tuya(url: PortUrl, values: Mapping[str, Any], secrets: Secrets, clock: Clock) -> TuyaSource:
    """The source; it talks to nobody before its first ``read``. Raises UrlError, ConfigError, MissingExtra."""
    if url.path.strip("/"):
        raise UrlError(f"{str(url)!r}: nothing stands after the host but options")
    if values["version"] is None:
        raise UrlError(
            f"{str(url)!r}: the option version= is missing: {', '.join(TuyaVersion)}",
            hint="'wattrail meter key' finds it in a dump of the device; a wrong one gets no answer",
        )
    points = _points(url, values)
    needs_cipher()
    silence_s, ask_s, name = values["silence"] or SILENCE_S, values["ask"], values["login"] or url.host
    cadence = SourceCadence(ask_s or silence_s, silence_s, max(_POWER_S, 3 * ask_s))
    link = TuyaMeter(
        str(url).partition("?")[0],
        points,
        swap=values["swap"],
        max_watts=values["max_watts"],
        news_s=silence_s / 2,
        is_simulated=is_marked_simulated(values["id"]),
    )
    return TuyaSource(
        str(url),
        TuyaPlace(url.host, PORT if url.port is None else url.port, values["timeout"]),
        TuyaAccess(name, values["version"], values["id"], secrets.find(name)),
        link,
        cadence=cadence,
        clock=clock,
        points=points.ids,
        ask_s=ask_s,
        updates=values["update"] and values["version"] is not TuyaVersion.V31,
        unit_check=UnitCheck(is_stated=False, scale=values["energy_scale"]),
        max_watts=values["max_watts"],
        simulated=values["simulated"],
    )


def _points(url: PortUrl, values: Mapping[str, Any]) -> TuyaMap:
    if values["dps"] is not None and not values["board"]:
        stated: TuyaMap = values["dps"]
        return stated
    if not values["board"] or values["dps"] is not None:
        raise UrlError(
            f"{str(url)!r}: one of board= and dps= says what the data points mean",
            hint="'wattrail board search WORD' finds a board; docs/sources.md, Tuya, has maps of other meters",
        )
    from wattrail.board import load_board  # with all of the image room: not for meters of another kind

    try:
        board = load_board(values["board"])
        found = [(point.id, point.quantity, point.decimals) for point in board.datapoints]
        return board_map(found, values["direction"])
    except ConfigError as error:
        raise UrlError(f"{str(url)!r}: {error}", hint=error.hint) from error
    except ValueError as error:
        raise UrlError(
            f"{str(url)!r}: of board {values['board']} no data point is known that measures",
            hint="write them as dps=, docs/sources.md, Tuya",
        ) from error
