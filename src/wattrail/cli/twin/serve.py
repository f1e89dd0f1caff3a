"""``wattrail twin serve`` and ``list``."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter, validators

from wattrail.cli.exits import UsageError
from wattrail.cli.option_types import Json
from wattrail.cli.stopping import stop_quietly
from wattrail.cli.twin.emulated import EmulatedBoardOptions, EmulationPlan, TwinChoices, serve_firmware
from wattrail.cli.twin.flash_terminal import FlashTwinOptions, flash_terminal
from wattrail.cli.twin.network_device import NetworkTwinOptions, Physics, serve_device
from wattrail.errors import needs_library
from wattrail.transport.schemes import SCHEMES
from wattrail.twin.boards import BOARDS
from wattrail.twin.network.serving import NETWORK_DEVICES
from wattrail.urls import read_options, split

if TYPE_CHECKING:
    from wattrail.twin.serve import ServedPty
    from wattrail.twin.twin import Twin


_Port = validators.Number(gte=0, lte=65535)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class ServeOptions:
    """What the twin should do; every one is an option of its URL."""

    scenario: Annotated[str | None, Parameter(help="What the house does: a name, or the path of a .toml file.")] = None
    seed: Annotated[int | None, Parameter(help="The same seed gives the same meter.")] = None
    start: Annotated[str | None, Parameter(help="Time of day at the beginning, like 10:30; else now.")] = None
    volts: Annotated[float | None, Parameter(help="Hold this voltage, in place of a scenario.")] = None
    amps: Annotated[float | None, Parameter(help="Hold this current.")] = None
    watts: Annotated[float | None, Parameter(help="Hold this power; negative exports.")] = None
    pf: Annotated[float | None, Parameter(help="Power factor of what is held.")] = None
    hertz: Annotated[float | None, Parameter(help="Hold this frequency.")] = None

    def url(self, board: str) -> str:
        """The twin's URL; ``board`` may be one already, with options of its own."""
        url = board if ":" in board else f"twin://{board}"
        query = "&".join(f"{name}={value}" for name, value in asdict(self).items() if value is not None)
        return f"{url}{'&' if '?' in url else '?'}{query}" if query else url

    def physics(self) -> Physics:
        """The same for a network device."""
        return Physics(
            self.scenario or "house",
            self.seed or 0,
            self.start,
            {name: getattr(self, name) for name in ("volts", "amps", "watts", "pf", "hertz")},
        )


def serve(
    board: Annotated[
        str, Parameter(help="A board or network device of 'wattrail twin list', or a whole twin:// URL.")
    ] = "pziot-e01",
    *,
    host: Annotated[str | None, Parameter(help="Address to serve at (127.0.0.1).")] = None,
    port: Annotated[
        int | None, Parameter(help="TCP port; 0 takes one that is free. Puts a UART on TCP too.", validator=_Port)
    ] = None,
    firmware: Annotated[
        Path | None, Parameter(help="Run this firmware on an emulated module: an image, a dump, or a snapshot.")
    ] = None,
    options: ServeOptions | None = None,
    around: EmulatedBoardOptions | None = None,
    flashing: FlashTwinOptions | None = None,
    network: NetworkTwinOptions | None = None,
) -> None:
    """Serve a twin that any program can open.

    A UART board gets a pseudo-terminal, or with --port a TCP port; an SPI board gets a TCP port for spi+tcp://, and a
    pseudo-terminal to flash its module by, or with --firmware to talk to what its module runs. A network device
    (openbeken, tasmota, mqtt-json, tuya) gets a port of its own, and all but tuya publish over MQTT with --broker. Says
    how to connect, and serves until Ctrl-C or SIGTERM.
    """
    address = host or "127.0.0.1"
    if board in NETWORK_DEVICES and firmware is None:
        options = options or ServeOptions()
        _chosen(options.url("pziot-e01"))  # the same options mean the same, and are checked in one place
        with stop_quietly():
            serve_device(board, address, port or 0, options.physics(), network or NetworkTwinOptions())
        return
    if ":" not in board and board not in BOARDS and board not in NETWORK_DEVICES:
        known = (*BOARDS, *NETWORK_DEVICES)
        close = get_close_matches(board, known, n=1)
        raise UsageError(
            f"no twin of a board {board!r}; known: {', '.join(known)}",
            hint=f"did you mean {close[0]}?" if close else "wattrail twin list shows what each is",
        )
    if firmware is not None:
        _refuse_network(host, port)
        _, load = _chosen((options or ServeOptions()).url(board))
        serve_firmware(_emulation(board, firmware, flashing), around or EmulatedBoardOptions(), load)
        return
    with stop_quietly():
        twin = _open((options or ServeOptions()).url(board))
        with _served(twin, address, port) as meter, flash_terminal(twin, flashing or FlashTwinOptions()) as module:
            print(*filter(None, (meter, module, "Ctrl-C ends it")), sep="\n", flush=True)
            _until_stopped()


def _refuse_network(host: str | None, port: int | None) -> None:
    """An emulated module is reached by pseudo-terminals of this machine: nothing of it is served on a network."""
    given = [name for name, value in (("--host", host), ("--port", port)) if value is not None]
    if given:
        raise UsageError(
            f"{' and '.join(given)} cannot be used with --firmware: its UARTs are pseudo-terminals of this machine",
            hint=f"leave {' and '.join(given)} out; a program puts a pseudo-terminal on TCP, such as ser2net",
        )


def _emulation(board: str, firmware: Path, flashing: FlashTwinOptions | None) -> EmulationPlan:
    if board != "pziot-e01":
        raise UsageError(
            f"--firmware runs on the module of pziot-e01, not of {board}", hint="leave the board out, or name pziot-e01"
        )
    options = flashing or FlashTwinOptions()
    chip = None if options.chip == "N" else options.chip
    return EmulationPlan(firmware, flash=options.flash, chip=chip, supply=options.supply)


def _open(text: str) -> Twin:
    from wattrail.twin import open_twin
    from wattrail.twin.carrier import POWERED_FOR_S

    board, wanted = _chosen(text)
    return open_twin(board, powered_for=POWERED_FOR_S, **wanted)  # type: ignore[arg-type]


def _chosen(text: str) -> tuple[str, TwinChoices]:
    """Board and options of a twin's URL. Raises UsageError, UrlError."""
    url = split(text)
    known = SCHEMES["twin"].load().OPTIONS
    if url.scheme != "twin":
        raise UsageError(f"{text!r} is not a twin", hint="wattrail twin list shows the boards")
    wanted = {name: value for name, value in read_options(url, known).items() if value is not None}
    return url.host or "pziot-e01", wanted


@contextmanager
def _served(twin: Twin, host: str, port: int | None) -> Iterator[str]:
    from wattrail.twin import serve

    title = f"SIMULATED: a digital twin of {twin.board.title}"
    front_end = f"--front-end {twin.board.front_end.name}"
    if twin.interface == "spi":
        with serve.serve_spi(twin, host, port or 0) as spi:
            yield f"{title}\nSPI at {spi.url}\nread it: wattrail meter watch {spi.url} {front_end}"
    elif port is not None:
        with serve.serve_uart_tcp(twin, host, port) as tcp:
            yield f"{title}\nUART at {tcp.url}\nread it: wattrail meter watch '{tcp.url}' {front_end}"
    else:
        with serve.serve_uart(twin) as pty:
            yield _pty_directions(title, pty, twin, front_end)


def _pty_directions(title: str, pty: ServedPty, twin: Twin, front_end: str) -> str:
    baud, heads, address = twin.uart.baud, twin.uart.heads, twin.address
    called = f"frame heads {heads.read:02X} and {heads.write:02X}" if address is None else f"chip address {address}"
    option = f" --address {address}" if address else ""
    return (
        f"{title}\nUART at {pty.path}\n"
        f"read it: wattrail meter watch '{pty.url}' {front_end}{option}\n"
        f"other programs: open {pty.path} at {baud} baud, 8 data bits, no parity, 1 stop bit; {called}\n"
        "They cannot know that it is a twin: keep what they store apart."
    )


def _until_stopped() -> None:
    threading.Event().wait()


# ---- list


def list_twins(*, json: Json = False) -> None:
    """List boards, scenarios and options of twins."""
    found = _known_twins()
    print(dumps(found) if json else _as_text(found))


def _known_twins() -> dict[str, list[dict[str, object]]]:
    from wattrail.transport.schemes import SCHEMES
    from wattrail.twin.boards import BOARDS
    from wattrail.twin.network.serving import NETWORK_DEVICES

    with needs_library("a digital twin", "numpy", extra="twin", module="numpy"):
        from wattrail.twin.scenario import scenario_names
    return {
        "boards": [
            {
                "name": board.name,
                "chip": board.chip,
                "interface": board.interface,
                "title": board.title,
                "evidence": list(board.evidence),
            }
            for board in BOARDS.values()
        ],
        "network_devices": [{"name": name, "title": title} for name, title in NETWORK_DEVICES.items()],
        "scenarios": [{"name": name} for name in scenario_names()],
        "options": [
            {"name": option.name, "default": option.default, "help": option.help}
            for option in SCHEMES["twin"].load().OPTIONS
        ],
    }


def _as_text(found: dict[str, list[dict[str, object]]]) -> str:
    lines = ["Boards"]
    for board in found["boards"]:
        chip, interface = str(board["chip"]).upper(), str(board["interface"]).upper()
        lines.append(f"  {board['name']:<14}{chip:<8}{interface:<6}{board['title']}")
    lines += ["", "Network devices", *(f"  {one['name']:<20}{one['title']}" for one in found["network_devices"])]
    lines += ["", "Scenarios", *(f"  {scenario['name']}" for scenario in found["scenarios"])]
    lines += ["", "Options, as in twin://pziot-e01?scenario=house&seed=7"]
    lines += [f"  {option['name']:<14}{option['help']}{_default(option['default'])}" for option in found["options"]]
    return "\n".join(lines)


def _default(value: object) -> str:
    return "" if value in (None, "") else f" (default: {value})"
