"""Export to wattrail itself: the lines of ``wattrail.toml`` for a meter of this board."""

from __future__ import annotations

from wattrail.board.model import BoardDescription, BoardMeterBus
from wattrail.calibration import Calibration

__all__ = ["wattrail_lines"]

_READ_BY_US = frozenset({"bl0942", "bl0940"})


def wattrail_lines(board: BoardDescription, calibration: Calibration | None = None) -> str:
    """A ``[[meter]]`` that reads the board over its new firmware, and as comments how to read its chip by wire."""
    firmware = "tasmota" if board.chip == "ESP8266" else "openbeken"
    lines = [
        f"# {board.title}",
        "[[meter]]",
        f'name = "{board.name}"',
        f'url = "{firmware}://192.168.1.20"  # the address of the meter',
    ]
    if board.meter.chip in _READ_BY_US and board.meter.bus in {BoardMeterBus.SPI, BoardMeterBus.UART}:
        lines += ["", "# or the chip itself, by wire from this machine:", *_by_wire(board, calibration)]
    return "\n".join(lines) + "\n"


def _by_wire(board: BoardDescription, calibration: Calibration | None) -> list[str]:
    if board.meter.bus is BoardMeterBus.SPI:
        # 800 kHz: at 900 kHz, the datasheet's limit, one board got half its checksums wrong.
        url = "spi:///dev/spidev0.0?hz=800000"
    else:
        url = f"serial:///dev/ttyUSB0?baud={board.meter.baud or 4800}"
    lines = [f'# url = "{url}"', f'# chip = "{board.meter.chip}"']
    if calibration:
        fields = ", ".join(
            f"{name} = {getattr(calibration, name):.10g}"
            for name in ("counts_per_volt", "counts_per_amp", "counts_per_watt")
        )
        lines += [f"# calibration = {{ {fields} }}"]
        lines += ["# inverted = true"] if calibration.inverted else []
    elif board.meter.front_end:
        lines += [f'# front_end = "{board.meter.front_end}"']
    return lines
