"""Why a BK7231 does not let itself be flashed: the causes, what they explain, and what speaks for and against. Data.

``explains`` gives each symptom a weight. Causes that users of other flashers have reported are ordered by the number of
reports found, which docs/troubleshooting.md lists; how far apart they stand, the weights of causes that nobody reports,
and the factor of every piece of evidence are judgement. Weights are compared within one symptom only.

A piece of evidence is a factor and a function of the statistics; a factor below 1 speaks against the cause. The
function gives the evidence as text, empty where there is none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from wattrail.bootrom.commands import Responder
from wattrail.diagnosis.session_statistics import LOADS, SessionStatistics, Stage
from wattrail.line_classifier import TrafficKind

__all__ = ["CAUSES", "Evidence", "KnownCause"]

Evidence = tuple[float, Callable[[SessionStatistics], str]]


@dataclass(frozen=True, slots=True)
class KnownCause:
    """One cause. ``remedy`` is what to do, at length; ``now`` the same as the one line to show while trying.

    ``contradicted``: whether what is known excludes it; then it is not listed at all.
    """

    name: str
    words: str
    remedy: str
    now: str
    explains: Mapping[str, float]
    evidence: tuple[Evidence, ...] = ()
    contradicted: Callable[[SessionStatistics], bool] = lambda _: False


# ---- evidence

_LONG_S: Final = 30.0
_TALKERS: Final = (TrafficKind.TEXT, TrafficKind.TUYA_MCU, TrafficKind.BL0942)
_FAST: Final = 921600


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _says(words: str, holds: Callable[[SessionStatistics], bool]) -> Callable[[SessionStatistics], str]:
    """Evidence whose words do not change."""
    return lambda h: words if holds(h) else ""


_never_heard = _says("nothing at all was heard", lambda h: not (h.links or h.heard or h.clicked))
_clicked = _says(
    "a few stray bytes came, as when a supply is switched: the adapter does hear the module", lambda h: h.clicked
)
_module_talks = _says(
    "the module's own firmware is heard: it runs, and was not caught in its reset",
    lambda h: h.heard is not None and h.heard.from_module is True,
)
_other_talks = _says(
    "what is heard is said to the module, not by it: our RX lies on the module's RX",
    lambda h: h.heard is not None and h.heard.from_module is False,
)
_banner = _says("a boot banner is heard, and those come out of TX2 only", lambda h: h.banners > 0)
_firmware_after_loss = _says(
    "its firmware was heard right after the loss: it had restarted",
    lambda h: any(loss.traffic in _TALKERS for loss in h.losses),
)
_low_after_loss = _says(
    "the line fell when the link was lost", lambda h: any(loss.traffic is TrafficKind.BREAK for loss in h.losses)
)
_garbled_after_change = _says(
    "after the change of rate only garbage came",
    lambda h: any(loss.stage is Stage.BAUD and not loss.is_restart and loss.was_reset is None for loss in h.losses),
)
_cable_and_person = _says(
    "the port went away while somebody was to reset the chip", lambda h: h.cable_lost > 0 and not h.links
)


def _long_tried(h: SessionStatistics) -> str:
    waited = h.seconds >= _LONG_S and not h.links and not h.heard
    return f"{h.seconds:.0f} s went by without an answer, probably with a reset among them" if waited else ""


def _gives_way_at_once(h: SessionStatistics) -> str:
    words = "it was reset time and again: a supply that gives way at the start looks just like this"
    return words if _long_tried(h) or _pulsed(h) else ""


def _pulsed(h: SessionStatistics) -> str:
    pulsed = h.pulses >= 3 and not h.links
    return f"{h.reset.upper()} was pulsed {_times(h.pulses)} and no answer followed" if pulsed else ""


def _boots_again(h: SessionStatistics) -> str:
    words = f"the boot banner came {_times(h.banners)} in {h.seconds:.0f} s: it starts over and over"
    return words if h.reboots else ""


def _reads_went_well(h: SessionStatistics) -> str:
    well = h.reads_went_well and h.restarts_under_load
    return f"{h.done[Stage.READ]} reads went well, and reading takes little current" if well else ""


def _restarts_under_load(h: SessionStatistics) -> str:
    lost = h.restarts_under_load
    stages = " and ".join(stage.value for stage in LOADS if any(loss.stage is stage for loss in lost))
    return f"the chip was gone after {stages}, {_times(len(lost))}" if lost else ""


def _loads_went_well(h: SessionStatistics) -> str:
    writes = h.done.get(Stage.ERASE, 0) + h.done.get(Stage.WRITE, 0)
    well = writes >= 8 and all(loss.stage is Stage.BAUD for loss in h.restarts_under_load)
    return f"{writes} erases and writes went well, which load the supply more" if well else ""


def _same_rate(h: SessionStatistics) -> str:
    kept = sum(loss.was_reset is False for loss in h.losses)
    return f"it answered again at the same rate, {_times(kept)}: it never restarted" if kept else ""


def _only_rate_changes(h: SessionStatistics) -> bool:
    return all(loss.stage is Stage.BAUD for loss in h.losses)


def _slower_rate_works(h: SessionStatistics) -> str:
    works = bool(h.failed_rates) and h.done.get(Stage.BAUD, 0) > 0 and _only_rate_changes(h)
    return f"{min(h.failed_rates)} baud did not work, a change to another rate did" if works else ""


def _fast_rate_failed(h: SessionStatistics) -> str:
    return f"{min(h.failed_rates)} baud did not work" if h.failed_rates else ""


def _damage(h: SessionStatistics) -> str:
    count = sum(h.damaged.values())
    return f"{count} exchanges had to be repeated, reads among them" if h.damaged.get(Stage.READ) else ""


def _cp2102_too_fast(h: SessionStatistics) -> str:
    rates = (*h.failed_rates, *(loss.baud for loss in h.losses if loss.stage is Stage.BAUD))
    known = h.adapter == "CP2102" and max(rates, default=0) >= _FAST and _only_rate_changes(h)
    return f"the adapter is a CP2102, which is known to fail at {_FAST} baud and above" if known else ""


def _adapter_is(name: str, known_for: str) -> Callable[[SessionStatistics], str]:
    return lambda h: f"the adapter is a {name}, {known_for}" if h.adapter == name else ""


def _answer_elsewhere(h: SessionStatistics) -> str:
    return f"its answer was heard at {h.elsewhere.baud} baud" if h.elsewhere else ""


def _silent_bootloader(h: SessionStatistics) -> str:
    gone = any(loss.was_reset is None and loss.stage in (Stage.ERASE, Stage.WRITE) for loss in h.losses)
    flash = "a BK7231T's bootloader lies in the flash, and nothing answered after it was worked on"
    return flash if gone and h.responder is Responder.BOOTLOADER else ""


def _unchanged(h: SessionStatistics) -> str:
    return f"the chip accepted and did not do what it was asked, {_times(h.unchanged)}" if h.unchanged else ""


def _cable(h: SessionStatistics) -> str:
    return f"the port went away {_times(h.cable_lost)}" if h.cable_lost else ""


# ---- causes

_RESET: Final = "short CEN to ground for a quarter of a second, or switch the 3.3 V off and on"

CAUSES: Final = (
    # The commonest of all reports: OpenBK7231T_App #119, #136, #350; bk7231tools #10; elektroda 4092861, 4028394.
    KnownCause(
        "not-reset",
        "The chip was not reset while it was being asked: it listens only for a moment after a reset.",
        f"Leave this running and reset the chip: {_RESET}. Do it again every few seconds. RTS or DTR reset it only if "
        "a wire leads from there to CEN.",
        f"reset the module now: {_RESET}",
        {"no-answer": 8, "second-talker": 4, "log-heard": 5, "reboot-loop": 0.5},
        ((1.5, _never_heard), (2, _module_talks), (0.6, _pulsed), (0.6, _long_tried)),
    ),
    KnownCause(
        "swapped",
        "TX and RX are swapped.",
        "Swap the two data wires: the adapter's TX goes to the module's RX1, its RX to the module's TX1.",
        "swap TX and RX, then reset again",
        {"no-answer": 4, "second-talker": 2},
        ((8, _other_talks), (0.3, _clicked)),
        contradicted=lambda h: h.heard is not None and h.heard.from_module is True,
    ),
    KnownCause(
        "second-uart",
        "The wires are on UART2, the log. Only UART1 can flash.",
        "Move the wires from TX2 and RX2 to TX1 (P11) and RX1 (P10) of the module.",
        "move the wires from TX2 and RX2 to TX1 and RX1",
        {"no-answer": 2, "log-heard": 4, "reboot-loop": 2},
        ((3, _banner),),
    ),
    # A TuyaMCU, a pull-down on RX (OpenBK7231T_App #136), switches (bk7231tools #30), a BL0942 (tuya-cloudcutter #234).
    KnownCause(
        "second-device",
        "Something else on the board uses the UART: a TuyaMCU, a BL0942, or a switch with its pull-down.",
        "Silence it: hold the other chip in reset, lift or cut the track between it and RX1, or take the module off "
        "the board. Its TX and ours drive one wire against each other.",
        "silence the other device on RX1: hold it in reset, or cut the track to it",
        {
            "no-answer": 2, "second-talker": 8, "half-answers": 3, "garbage": 3, "line-low": 2, "rate-refused": 1,
            "bytes-lost": 1,
        },
        ((1.5, _module_talks),),
    ),
    # elektroda 3937723: the module ran on without its supply.
    KnownCause(
        "parasitic-power",
        "The chip lives on the data lines when its supply is switched off, so that this does not reset it.",
        "Take the data wires off too while the power is off, or reset by CEN, which always works.",
        "reset by CEN, or take the data wires off while the power is off",
        {"no-answer": 1, "second-talker": 1, "log-heard": 0.5},
    ),
    # elektroda 4015180.
    KnownCause(
        "cen-tied",
        "CEN is wired to 3.3 V on this board, so pulling it low does nothing but load the supply.",
        "Reset by switching the 3.3 V off and on, or cut the track from CEN to 3.3 V.",
        "switch the 3.3 V off and on, CEN may be tied to it",
        {"no-answer": 1, "second-talker": 0.5, "log-heard": 0.5, "cable-lost": 1},
        ((2, _pulsed),),
    ),
    # A CP210x does, from the moment its port is opened (bk7231tools #16).
    KnownCause(
        "lines-held",
        "The adapter holds RTS or DTR, and with it CEN, low all the time: the chip stays in reset.",
        "Take the wire off RTS and DTR and reset by hand; some modules invert these lines.",
        "take the wire off RTS and DTR, and reset by hand",
        {"no-answer": 1, "line-low": 3},
        ((3, _pulsed),),
        contradicted=lambda h: bool(h.links or h.banners),
    ),
    # At another sector each time, whatever the rate: BK7231GUIFlashTool #21, #51; elektroda 4054857, 4010702, 4019548.
    KnownCause(
        "sagging-supply",
        "The 3.3 V sags: it does for a chip at rest, and gives way when it starts, erases or writes.",
        "Feed the module's 3.3 V from a supply of at least 500 mA over short, thick wires, and put 470 to 1000 uF "
        "between 3.3 V and ground right at the module. Join the grounds.",
        "put a stronger 3.3 V supply and 470 to 1000 uF at the module",
        {
            "reset-on-rate-change": 10, "reset-on-erase": 10, "reset-on-write": 10, "lost-again": 6, "reboot-loop": 9,
            "half-answers": 2.5, "no-answer": 1.6, "bytes-lost": 1, "rate-refused": 1, "cable-lost": 1,
        },
        (
            (1.5, _reads_went_well), (1.2, _restarts_under_load), (2, _firmware_after_loss), (1.5, _low_after_loss),
            (1.5, _boots_again), (0.4, _loads_went_well), (0.5, _same_rate), (2.5, _gives_way_at_once),
        ),
    ),
    # A CH340's own 3.3 V did not feed the module, an external supply did: BK7231GUIFlashTool #20; ltchiptool #33.
    KnownCause(
        "adapter-supply",
        "The module is fed from the adapter's 3.3 V pin, which gives 150 mA at best: a module takes more.",
        "Feed the module from a 3.3 V regulator or a bench supply of its own; from the adapter take TX, RX and ground.",
        "feed the module from a 3.3 V supply of its own, not from the adapter",
        {
            "reset-on-rate-change": 4, "reset-on-erase": 4, "reset-on-write": 4, "lost-again": 3, "reboot-loop": 4,
            "half-answers": 1, "no-answer": 0.5, "cable-lost": 3,
        },
        (
            *((1.3, _adapter_is(name, "whose own 3.3 V is weak")) for name in ("FT232", "CP2102", "CH340")),
            (0.4, _loads_went_well),
        ),
    ),
    KnownCause(
        "five-volts",
        "The adapter works at 5 V, or its jumper stands wrong: the chip takes 3.3 V on every pin.",
        "Set the adapter's jumper to 3.3 V and measure its TX against ground before it is joined again.",
        "set the adapter's jumper to 3.3 V",
        {"no-answer": 1, "garbage": 0.5, "half-answers": 0.5, "bytes-lost": 0.5, "lost-again": 0.5},
    ),
    KnownCause(
        "unpowered",
        "The module has no 3.3 V.",
        "Measure 3.3 V between 3V3 and GND on the module itself.",
        "measure 3.3 V at the module's own pins",
        {"no-answer": 3.5, "line-low": 6, "own-echo": 1},
        ((2, _clicked),),
    ),
    KnownCause(
        "no-ground",
        "The grounds of adapter and module are not joined.",
        "Join them by a wire of its own, as short as the data wires.",
        "join the grounds of adapter, supply and module",
        {"no-answer": 3, "garbage": 4, "half-answers": 3, "bytes-lost": 2, "line-low": 1, "own-echo": 0.5},
    ),
    KnownCause(
        "short",
        "Two of the wires touch: TX and RX, or TX and ground.",
        "Take the wires off the module. If the echo, or the low line, stays, it is in the adapter or its wires; else "
        "look for a bridge of solder at the module.",
        "look for a bridge between TX and RX, or TX and ground",
        {"own-echo": 8, "line-low": 3},
    ),
    KnownCause(
        "left-at-rate",
        "An earlier program left the chip in download mode at another rate; it stays there until it is reset.",
        f"Reset the chip: {_RESET}. Or link at the rate at which it answers.",
        f"reset the module, it still speaks at an earlier program's rate: {_RESET}",
        {"other-rate": 9, "garbage": 2, "no-answer": 0.7},
        ((2, _answer_elsewhere),),
    ),
    # 921600 baud on a CP2102: OpenBK7231T_App #579.
    KnownCause(
        "adapter-rate",
        "The adapter cannot make this rate, or not exactly enough.",
        "Use a lower rate, 460800 or 115200 baud, or an adapter with a CH340 or FT232.",
        "use a lower rate, or another adapter",
        {"rate-refused": 4, "reset-on-rate-change": 2, "bytes-lost": 1.5, "garbage": 0.5},
        (
            (12, _cp2102_too_fast), (1.5, _slower_rate_works), (1.5, _garbled_after_change),
            (0.5, _firmware_after_loss),
        ),
    ),
    # A PL2303: ltchiptool #5, elektroda 4004139.
    KnownCause(
        "adapter-loses-bytes",
        "The adapter or its driver drops bytes in long transfers.",
        "Use an adapter with a CH340 or FT232, at its own USB socket rather than a hub; until then 115200 baud.",
        "use another adapter, or 115200 baud",
        {"bytes-lost": 2, "half-answers": 1, "no-answer": 0.7, "rate-refused": 1},
        ((5, _adapter_is("PL2303", "which several users report as losing bytes")), (1.2, _damage)),
    ),
    # BK7231GUIFlashTool #14, #18; with slow couplers every T failed and N worked: elektroda 3993894.
    KnownCause(
        "long-wires",
        "The wires are too long, or an isolator is too slow, for this rate.",
        "Keep wires under 20 cm, lay ground beside them, take a faster isolator, or use a lower rate.",
        "use shorter wires, or a lower rate",
        {
            "bytes-lost": 4, "rate-refused": 3, "half-answers": 2, "garbage": 1, "lost-again": 2,
            "reset-on-rate-change": 1, "reset-on-erase": 0.5, "reset-on-write": 1,
        },
        ((1.5, _fast_rate_failed), (1.3, _same_rate), (1.2, _damage), (1.5, _garbled_after_change)),
    ),
    # BK7231GUIFlashTool #32, #47; OpenBK7231T_App #227; an app written at 0: elektroda 4173536.
    KnownCause(
        "bootloader-lost",
        "This BK7231T has no bootloader any more: it lay in the flash, and was erased or overwritten.",
        "UART cannot fix that. Write a full dump over SPI: CEN low for a second, then P20 SCK, P21 CS, P22 SI, P23 SO "
        "with an SPI programmer. A BK7231N is not concerned, its boot ROM cannot be lost.",
        "if it is a BK7231T that was erased: recover it over SPI",
        {"no-answer": 0.7, "reset-on-erase": 0.5, "reset-on-write": 0.5},
        ((6, _silent_bootloader),),
        contradicted=lambda h: h.responder is Responder.BOOT_ROM,
    ),
    # libretiny #33, #279; ltchiptool #32; bk7231tools #19, #24 (the bit CMP).
    KnownCause(
        "protected-flash",
        "The flash is write-protected: it answers that all is well and changes nothing.",
        "Lift the protection first, which wattrail does by itself where it knows the flash chip; switch the power off "
        "and on once if its status register does not take the change.",
        "switch the power off and on, then let the protection be lifted again",
        {"protected": 8},
        ((1.5, _unchanged),),
    ),
    KnownCause(
        "usb-drops",
        "The adapter drops off the USB: its cable, its hub, or its driver.",
        "Use another cable and a socket of the computer itself, without a hub.",
        "use another USB cable and a socket without a hub",
        {"cable-lost": 4},
        ((1, _cable),),
        contradicted=lambda h: h.network,
    ),
    KnownCause(
        "bridge-drops",
        "The bridge, or the network to it, drops the connection.",
        "Bring the bridge nearer to its access point, give it a supply of its own, and close other programs that hold "
        "its port; flash over a USB adapter if you can.",
        "look at the bridge's supply and its Wi-Fi, or use a USB adapter",
        {"cable-lost": 4},
        ((1, _cable),),
        contradicted=lambda h: not h.network,
    ),
    # "Access to the port is denied" in the middle of a run: elektroda 4050053.
    KnownCause(
        "cen-short",
        "Shorting CEN, or switching the module on, pulls down the adapter that feeds it, so that it drops off the USB.",
        "Feed the module from a supply of its own, and short CEN to ground, not to 3.3 V.",
        "feed the module from a supply of its own, CEN or the inrush pulls the adapter down",
        {"cable-lost": 3},
        ((2, _cable_and_person),),
        contradicted=lambda h: h.network,
    ),
)  # fmt: skip
