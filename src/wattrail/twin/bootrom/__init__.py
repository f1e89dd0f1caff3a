"""A digital twin of the BK7231's download mode: the boot ROM of an N or M, the bootloader of a T, and the flash.

    twin = BootTwin("N", clock=ManualClock())
    port = twin.port()
    twin.reset()
    port.write(bytes.fromhex("01 E0 FC 01 00"))

It shares the protocol's tables with the drivers and none of their code. docs/protocols/bk7231-boot.md says what of its
behaviour is seen, read in code, or guessed. Around the chip there are a supply that may sag, adapters with faults, and
wires that may be wrong. It does not model what the application does, the radio, or which part of the flash a real
part's protection bits choose.
"""

from wattrail.twin.bootrom.adapters import ADAPTERS, Adapter, Loss
from wattrail.twin.bootrom.faults import BootFaults
from wattrail.twin.bootrom.flash import NorFlash
from wattrail.twin.bootrom.phase import Phase
from wattrail.twin.bootrom.port import BootPort
from wattrail.twin.bootrom.supply import DRAWS, SUPPLIES, Draw, Supply
from wattrail.twin.bootrom.talk import APPLICATIONS, Application
from wattrail.twin.bootrom.timing import AT_ONCE, BootTiming
from wattrail.twin.bootrom.twin import BootTwin

__all__ = [
    "ADAPTERS",
    "APPLICATIONS",
    "AT_ONCE",
    "DRAWS",
    "SUPPLIES",
    "Adapter",
    "Application",
    "BootFaults",
    "BootPort",
    "BootTiming",
    "BootTwin",
    "Draw",
    "Loss",
    "NorFlash",
    "Phase",
    "Supply",
]
