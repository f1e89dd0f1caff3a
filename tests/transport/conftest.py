from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from library_stubs import install_ftdi, install_gpiod, install_spidev
from transport_rigs import (
    PORT_SCHEMES,
    BitChip,
    BusRig,
    ByteChip,
    Dialogue,
    Rig,
    bus_events,
    port_rig,
    serving,
    write_capture,
)

from wattrail.clock import Clock
from wattrail.transport import Bus, open_port

BUS_SCHEMES = ("spi", "spi+ftdi", "spi+gpio", "spi+tcp", "replay")
OpenRig = Callable[..., Rig]
OpenBusRig = Callable[..., BusRig]


@pytest.fixture(params=[*PORT_SCHEMES, *(f"record+{name}" for name in PORT_SCHEMES)])
def open_rig(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[OpenRig]:
    """Opens a port of every scheme, plain and recorded, with a far end that plays a dialogue."""
    with ExitStack() as stack:

        def opener(dialogue: Dialogue = (), *, hang_up: bool = False, clock: Clock | None = None) -> Rig:
            return stack.enter_context(port_rig(request.param, tmp_path, dialogue, hang_up=hang_up, clock=clock))

        yield opener


@pytest.fixture(params=[*BUS_SCHEMES, *(f"record:{name}" for name in BUS_SCHEMES)])
def open_bus_rig(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[OpenBusRig]:
    """Opens a bus of every scheme, plain and recorded, with a chip that answers in complements."""
    recorded, _, scheme = request.param.rpartition(":")
    with ExitStack() as stack:

        def opener(*, clock: Clock | None = None) -> BusRig:
            url, chip = _bus_far_end(scheme, tmp_path, monkeypatch, stack)
            if recorded:
                url = f"record:{tmp_path / 'recorded.jsonl'}?of={url}"
            bus = open_port(url, clock=clock)
            assert isinstance(bus, Bus)
            return BusRig(stack.enter_context(bus), url, chip)

        yield opener


def _bus_far_end(
    scheme: str, folder: Path, monkeypatch: pytest.MonkeyPatch, stack: ExitStack
) -> tuple[str, ByteChip | BitChip | None]:
    if scheme == "spi+gpio":
        wired = BitChip(cs=8)
        install_gpiod(monkeypatch, wired)
        return "spi+gpio:///dev/gpiochip0?sclk=11&sdi=10&sdo=9&cs=8&half_period_us=1", wired
    chip = ByteChip()
    if scheme == "spi":
        install_spidev(monkeypatch, chip)
        return "spi:///dev/spidev0.0", chip
    if scheme == "spi+ftdi":
        install_ftdi(monkeypatch, chip)
        return "spi+ftdi://232h/1", chip
    if scheme == "spi+tcp":
        return f"spi+tcp://127.0.0.1:{stack.enter_context(serving(chip))}", chip
    capture = folder / "frames.jsonl"
    write_capture(capture, "spi", bus_events())
    return f"replay:{capture}", None
