"""A digital twin of the BK7231's download mode: the boot ROM of an N or M, the bootloader of a T, and the flash.

    twin = BootTwin("N", clock=ManualClock())
    port = twin.port()
    twin.reset()
    port.write(bytes.fromhex("01 E0 FC 01 00"))

It shares the protocol's tables with the drivers and none of their code. docs/protocols/bk7231-boot.md says what of its
behaviour is seen, read in code, or guessed. The supply may sag, adapters have faults, and the wires may be wrong. Not
modelled: what the application does, the radio, and which part of the flash a real part's protection bits choose.

``twin`` puts it together; ``engine`` runs one chip over time. Around it: ``uart`` and ``receiver`` (bytes to commands),
``responders`` (commands to responses), ``activity`` (steps and responses), ``timing``, ``flash`` and ``flash_file``,
``firmware`` (what the application sends), ``supply`` and ``rail``, ``faults``, ``adapter`` (the host's end), ``serve``.
"""

from wattrail.twin.bootrom.activity import BootPhase
from wattrail.twin.bootrom.adapter import ADAPTERS, Adapter, BootPort, ByteLoss
from wattrail.twin.bootrom.faults import BootFaults
from wattrail.twin.bootrom.firmware import APPLICATIONS, Application
from wattrail.twin.bootrom.flash import NorFlash
from wattrail.twin.bootrom.supply import DRAWS, SUPPLIES, Draw, PowerSupply
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
    "BootPhase",
    "BootPort",
    "BootTiming",
    "BootTwin",
    "ByteLoss",
    "Draw",
    "NorFlash",
    "PowerSupply",
]
