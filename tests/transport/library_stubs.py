"""Stubs of the libraries that need hardware: just what our buses call, with the errors the real ones raise."""

from __future__ import annotations

import errno
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from transport_rigs import BitChip, ByteChip


def install_spidev(monkeypatch: pytest.MonkeyPatch, chip: ByteChip, **failures: OSError) -> list[Any]:
    """Put a module ``spidev`` in place; ``failures`` maps an action (open, no_cs, xfer) to its error."""
    opened: list[Any] = []

    class SpiDev:
        mode = 0
        max_speed_hz = 500_000
        bits_per_word = 0
        path = ""
        closed = False

        def __init__(self) -> None:
            opened.append(self)

        @property
        def no_cs(self) -> bool:
            return getattr(self, "_no_cs", False)

        @no_cs.setter
        def no_cs(self, value: bool) -> None:
            if "no_cs" in failures:
                raise failures["no_cs"]
            self._no_cs = value

        def open_path(self, path: str) -> None:
            if "open" in failures:
                raise failures["open"]
            self.path = path

        def xfer2(self, data: list[int]) -> list[int]:
            if "xfer" in failures:
                raise failures["xfer"]
            return list(chip.transfer(bytes(data), mode=self.mode, hz=self.max_speed_hz))

        def close(self) -> None:
            self.closed = True

    module = ModuleType("spidev")
    module.SpiDev = SpiDev  # type: ignore[attr-defined]
    monkeypatch.setitem(__import__("sys").modules, "spidev", module)
    return opened


def install_ftdi(monkeypatch: pytest.MonkeyPatch, chip: ByteChip, **failures: OSError) -> list[Any]:
    """Replace pyftdi's controller; ``failures`` maps configure or exchange to its error."""
    from pyftdi import spi

    opened: list[Any] = []

    class SpiController:
        def __init__(self) -> None:
            opened.append(self)
            self.calls: list[tuple[str, dict[str, Any]]] = []

        def configure(self, url: str, **options: Any) -> None:
            self.calls.append((url, options))
            if "configure" in failures:
                raise failures["configure"]

        def get_port(self, **options: Any) -> SpiController:
            self.calls.append(("port", options))
            return self

        def exchange(self, out: bytes, *, duplex: bool) -> bytearray:
            assert duplex
            if "exchange" in failures:
                raise failures["exchange"]
            return bytearray(chip.transfer(out))

        def close(self) -> None:
            self.calls.append(("close", {}))

    monkeypatch.setattr(spi, "SpiController", SpiController)
    return opened


def install_gpiod(monkeypatch: pytest.MonkeyPatch, wired: BitChip, *, used_by: str = "") -> list[Any]:
    """Replace gpiod's chip by one wired to a bit-level chip; ``used_by`` makes its lines busy."""
    import gpiod
    from gpiod.line import Value

    requests: list[Any] = []

    class Request:
        released = False

        def set_value(self, offset: int, value: Value) -> None:
            wired.set(offset, value is Value.ACTIVE)

        def get_value(self, offset: int) -> Value:
            return Value.ACTIVE if wired.get(offset) else Value.INACTIVE

        def release(self) -> None:
            self.released = True

    class Chip:
        def __init__(self, path: str) -> None:
            if path != "/dev/gpiochip0":
                raise FileNotFoundError(errno.ENOENT, "No such file or directory", path)

        def __enter__(self) -> Chip:
            return self

        def __exit__(self, *_: object) -> None: ...

        def request_lines(self, config: dict[int, Any], consumer: str) -> Request:
            if used_by:
                raise OSError(errno.EBUSY, "Device or resource busy")
            requests.append(Request())
            requests[-1].config = config
            return requests[-1]

        def get_line_info(self, offset: int) -> SimpleNamespace:
            return SimpleNamespace(offset=offset, used=bool(used_by) and offset == 11, consumer=used_by)

    monkeypatch.setattr(gpiod, "Chip", Chip)
    return requests
