"""What feeds the chip and what it draws: two tables.

The rail is the voltage at the module's 3.3 V pin. Its source is a voltage behind a resistance, with an adapter's or a
regulator's current limit, and a capacitor at the pin holds it up through short peaks. ``wattrail.twin.bootrom.rail``
calculates the rest. The maker publishes the currents of the radio and the supply voltage of a CBU (Source:
cbu-hw/power); what the boot ROM draws is not published, so those lines are guesses, of the size that makes the
failures which users report follow from the physics. Source: bk-boot/supply.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from types import MappingProxyType
from typing import Final

from wattrail.errors import ConfigError

__all__ = [
    "BROWN_OUT_VOLTS",
    "DRAWS",
    "RELEASE_S",
    "RESTART_VOLTS",
    "SPREAD",
    "SUPPLIES",
    "Draw",
    "PowerSupply",
    "supply_of",
]

BROWN_OUT_VOLTS: Final = 2.7
"""Below it the chip resets. Guess: the maker gives 3.0 to 3.6 V, an earlier edition 2.1 V, and no threshold."""
RESTART_VOLTS: Final = 2.85
"""Above it the chip starts again. Guess: the usual hysteresis of a reset circuit."""
RELEASE_S: Final = 0.02
"""How long it is held in reset from there. Guess: a usual power-on timer."""
SPREAD: Final = 0.04
"""Standard deviation of a peak's current from one time to the next, as a fraction. Guess."""


@dataclass(frozen=True, slots=True)
class Draw:
    """What one activity draws: ``amps`` all the time, and ``peak_amps`` in total for ``peak_s``, every ``period_s``.

    After ``lasts_s`` the activity ``then`` follows.
    """

    amps: float
    peak_amps: float = 0.0
    peak_s: float = 0.0
    period_s: float = inf
    lasts_s: float = inf
    then: str = ""


DRAWS: Final[Mapping[str, Draw]] = MappingProxyType(
    {
        "in reset": Draw(0.002),  # guess: leakage and a pull-up
        "starting": Draw(0.060, 0.120, 0.002),  # guess: oscillator and regulators come up
        "listening": Draw(0.060),  # guess: a core of this size without radio
        "waiting": Draw(0.060),  # guess: as listening
        "changing rate": Draw(0.060, 0.220, 100e-6),  # guess: the clock tree is switched over
        "erasing": Draw(0.070, 0.160, 0.001, 0.005),  # guess: the charge pump, pulse by pulse
        "programming": Draw(0.080, 0.260, 150e-6),  # guess: the charge pump, once a page, short and high
        "checking": Draw(0.065),  # guess: the flash is read all the time
        "sending": Draw(0.062),  # guess: as waiting, and the line
        "booting": Draw(0.070, lasts_s=0.17, then="calibrating"),  # guess; the time is that of a boot log
        "calibrating": Draw(0.080, 0.280, 0.001, 0.010, 0.15, "transmitting"),  # guess: carrier on and off
        "transmitting": Draw(0.075, 0.304, 0.0011, 0.1024),  # cbu-hw/power, 11b at 17 dBm; a frame a beacon interval
    }
)
"""Amperes at the rail by activity. "transmitting" is the application at rest, on the air once in a while."""


@dataclass(frozen=True, slots=True)
class PowerSupply:
    """One way to feed the module.

    ``volts``: the source without load. ``ohms``: from there to the module's pin, both wires. ``farads``: the capacitor
    at the pin. ``limit_amps``: the current limit; as the rail falls to 0 the limit folds back to ``folded_amps`` (left
    out: it stays). A linear regulator that may run out of input has ``input_volts``, ``input_ohms`` in front of it, and
    needs ``dropout_volts`` across itself. ``board_amps``: what hangs on the rail besides the module.
    """

    volts: float
    ohms: float
    farads: float
    limit_amps: float
    folded_amps: float | None = None
    input_volts: float = inf
    input_ohms: float = 0.0
    dropout_volts: float = 0.0
    board_amps: float = 0.0

    def __post_init__(self) -> None:
        if not (self.volts > 0 and self.ohms > 0 and self.farads > 0 and self.limit_amps > 0):
            raise ConfigError(
                f"{self}: volts, ohms, farads and the limit of current must be above 0",
                hint='use supply="ideal" for a supply without faults',
            )

    @property
    def lines(self) -> tuple[tuple[float, float], ...]:
        """The current it can give is the least of these straight lines, each as amperes at 0 V and amperes per volt."""
        folded = self.limit_amps if self.folded_amps is None else self.folded_amps
        lines = [(self.volts / self.ohms, -1 / self.ohms), (folded, (self.limit_amps - folded) / self.volts)]
        if self.input_volts < inf:
            path = self.input_ohms + self.ohms
            lines.append(((self.input_volts - self.dropout_volts) / path, -1 / path))
        return tuple(lines)


_OWN_FARADS: Final = 10e-6
"""The capacitor beside the module that its maker asks for. Source: cbu-hw/power."""

SUPPLIES: Final[Mapping[str, PowerSupply | None]] = MappingProxyType(
    {
        "ideal": None,
        # 5 V of an adapter less its fuse and cable, into a 1117 behind a diode: no headroom is left, and the whole
        # board is fed. 4 ohms of thin leads, fuse and contacts.
        "board regulator": PowerSupply(
            3.3, 0.2, 22e-6, 0.5, input_volts=4.7, input_ohms=3.8, dropout_volts=1.5, board_amps=0.04
        ),
        # A 1117 on a breadboard: jumper wires and four contacts of half an ohm and more, no capacitor behind them.
        "usb + ldo": PowerSupply(3.3, 4.0, 22e-6, 0.5, input_volts=4.9, input_ohms=0.5, dropout_volts=1.1),
        # The adapter's own small regulator gives 150 mA and folds back; short leads; a lamp on the board.
        "ftdi ldo": PowerSupply(3.3, 1.0, 22e-6, 0.15, 0.05, board_amps=0.02),
        # The same 1117 on shorter wires: what is left of them is enough for the worst of the page pulses only.
        "ch340 + ldo": PowerSupply(3.3, 2.15, _OWN_FARADS, 0.5, input_volts=4.8, input_ohms=0.5, dropout_volts=1.1),
        # A laboratory supply on decent leads, limit set to 1 A.
        "bench supply": PowerSupply(3.3, 0.3, _OWN_FARADS, 1.0),
        # "usb + ldo" as it was, and 1000 microfarads at the module's pins, behind the wires.
        "usb + ldo + capacitor": PowerSupply(
            3.3, 4.0, 1000e-6, 0.5, input_volts=4.9, input_ohms=0.5, dropout_volts=1.1
        ),
    }
)
"""The set-ups that one user tried on a CBU, in order: four sag, the last two hold. All values are guesses in the range
such parts have. "ideal" is not modelled: the rail is always 3.3 V."""


def supply_of(supply: PowerSupply | str) -> PowerSupply | None:
    """The supply itself, or the one of that name; None for the ideal one. Raises ConfigError for an unknown name."""
    if isinstance(supply, PowerSupply):
        return supply
    if supply not in SUPPLIES:
        raise ConfigError(f"no supply {supply!r}", hint=f"known are {', '.join(SUPPLIES)}")
    return SUPPLIES[supply]
