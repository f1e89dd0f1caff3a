"""The grammar of OpenBeken's scripts, as far as our exports use it, read in the firmware's own source.

openshwprojects/OpenBK7231T_App at e1a8097 (July 2026): each command with the file that registers it and the fewest and
most arguments that its function takes; events of ``EVENT_ParseEventName``, drivers of ``drv_main.c``, roles of
``new_pins.c``, channel types of ``docs/channelTypes.md``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

ANY = 99


@dataclass(frozen=True)
class Command:
    file: str
    fewest: int
    most: int


COMMANDS = {
    "addchangehandler": Command("src/cmnds/cmd_eventHandlers.c", 4, ANY),
    "addchannel": Command("src/cmnds/cmd_channels.c", 2, 5),
    "addeventhandler": Command("src/cmnds/cmd_eventHandlers.c", 3, ANY),
    "alias": Command("src/cmnds/cmd_main.c", 2, ANY),
    "backlog": Command("src/cmnds/cmd_main.c", 1, ANY),
    "clearconfig": Command("src/cmnds/cmd_main.c", 0, 0),
    "currentset": Command("src/driver/drv_pwrCal.c", 1, 1),
    "delay_ms": Command("src/cmnds/cmd_script.c", 1, 1),
    "goto": Command("src/cmnds/cmd_script.c", 1, 2),
    "if": Command("src/cmnds/cmd_if.c", 3, ANY),
    "linktuyamcuoutputtochannel": Command("src/driver/drv_tuyaMCU.c", 2, 9),
    "openap": Command("src/cmnds/cmd_main.c", 0, 0),
    "powerset": Command("src/driver/drv_pwrCal.c", 1, 1),
    "restart": Command("src/cmnds/cmd_main.c", 0, 1),
    "setbuttontimes": Command("src/new_pins.c", 3, 3),
    "setchannel": Command("src/cmnds/cmd_channels.c", 2, 2),
    "setchannelprivate": Command("src/cmnds/cmd_channels.c", 2, 2),
    "setchanneltype": Command("src/new_pins.c", 2, 2),
    "setflag": Command("src/cmnds/cmd_main.c", 2, 2),
    "setpinchannel": Command("src/cmnds/cmd_channels.c", 2, 3),
    "setpinrole": Command("src/cmnds/cmd_channels.c", 2, 2),
    "startdriver": Command("src/driver/drv_main.c", 1, ANY),
    "togglechannel": Command("src/cmnds/cmd_channels.c", 1, 1),
    "tuyamcu_setbaudrate": Command("src/driver/drv_tuyaMCU.c", 1, 1),
    "voltageset": Command("src/driver/drv_pwrCal.c", 1, 1),
}
EVENTS = frozenset({"onclick", "ondblclick", "onhold", "onholdstart", "onpress", "onrelease"})
CHANGES = frozenset({"voltage", "current", "power", "frequency", "wifistate", "mqttstate"})
DRIVERS = frozenset({"bl0942", "bl0942spi", "bl0937", "cse7766", "tuyamcu"})
ROLES = frozenset(
    {
        "Rel", "Rel_n", "Btn", "Btn_n", "LED", "LED_n", "WifiLED", "WifiLED_n", "Btn_Tgl_All", "Btn_Tgl_All_n",
        "TglChanOnTgl", "BL0937SEL", "BL0937SEL_n", "BL0937CF", "BL0937CF1", "AlwaysHigh", "Btn_ScriptOnly",
        "Btn_ScriptOnly_n", "BridgeFWD", "BridgeREV",
    }
)  # fmt: skip
CHANNEL_TYPES = frozenset(
    {
        "Voltage_div10", "Voltage_div100", "Current_div100", "Current_div1000", "Power", "Power_div10", "Power_div100",
        "EnergyTotal_kWh_div100", "EnergyTotal_kWh_div1000",
    }
)  # fmt: skip
PINS, CHANNELS, FLAGS = range(29), range(64), range(52)
CAN_BE_PRIVATE = range(32)
"""Channels of which the firmware keeps that they are not published."""
CONDITION = re.compile(r"(\$CH\d{1,2}|\$voltage|\$current|\$power)(==|!=|>=|<=|>|<)-?\d+")
EXPRESSION = re.compile(r"\$(voltage|current|power)\*-?\d+\.\d+")


def line_of(words: Sequence[str]) -> str:
    return " ".join(words)


def faults_of(script: str) -> Iterator[str]:
    """What the firmware would refuse in a script, a line each."""
    lines = [line.strip() for line in script.splitlines()]
    labels = {line[:-1] for line in lines if re.fullmatch(r"\w+:", line)}
    aliases = {line.split()[1].lower() for line in lines if line.lower().startswith("alias ")}
    for line in lines:
        if line and not line.startswith("//") and not re.fullmatch(r"\w+:", line):
            yield from (f"{line}: {fault}" for fault in _faults(line, labels, aliases))
            if len(line) > 120:
                yield f"{line}: {len(line)} characters, /cm executes lines beyond 123 twice"


def _faults(line: str, labels: set[str], aliases: set[str]) -> Iterator[str]:
    name, *arguments = line.split()
    if name.lower() in aliases:
        return
    command = COMMANDS.get(name.lower())
    if command is None:
        yield f"no command {name}"
    elif not command.fewest <= len(arguments) <= command.most:
        yield f"{len(arguments)} arguments"
    else:
        yield from _arguments(name.lower(), arguments, labels, aliases)


def _arguments(name: str, given: Sequence[str], labels: set[str], aliases: set[str]) -> Iterator[str]:
    match name, given:
        case "backlog", _:
            for part in line_of(given).split(";"):
                yield from _faults(part.strip(), labels, aliases)
        case "alias", [_, *command]:
            yield from _faults(line_of(command), labels, aliases)
        case "if", [condition, "then", *command]:
            if not CONDITION.fullmatch(condition):
                yield f"condition {condition}"
            if '"' in line_of(command):
                yield "quotes without an else: the firmware keeps the last one"
            yield from _faults(line_of(command), labels, aliases)
        case "if", _:
            yield "no then after one condition"
        case "addeventhandler", [event, pin, *command]:
            if event.lower() not in EVENTS or int(pin) not in PINS:
                yield f"event {event} of pin {pin}"
            yield from _faults(line_of(command), labels, aliases)
        case "addchangehandler", [variable, relation, value, *command]:
            known = variable.lower() in CHANGES or re.fullmatch(r"Channel\d{1,2}", variable)
            if not known or relation not in {"==", "!=", ">", "<", ">=", "<="} or not value.isdecimal():
                yield f"change {variable} {relation} {value}"
            yield from _faults(line_of(command), labels, aliases)
        case "goto", [label] if label not in labels:
            yield f"no label {label}"
        case "startdriver", [driver, *_] if driver.lower() not in DRIVERS:
            yield f"no driver {driver}"
        case "setpinrole", [pin, role] if int(pin) not in PINS or role not in ROLES:
            yield f"role {role} of pin {pin}"
        case "setflag", [flag, value] if int(flag) not in FLAGS or value not in {"0", "1"}:
            yield f"flag {flag}"
        case "setchanneltype", [channel, kind] if int(channel) not in CHANNELS or kind not in CHANNEL_TYPES:
            yield f"type {kind}"
        case (("voltageset" | "currentset" | "powerset"), [value]) if not EXPRESSION.fullmatch(value):
            yield f"value {value}"
        case "setchannelprivate", [channel, _] if int(channel) not in CAN_BE_PRIVATE:
            yield f"channel {channel} is published all the same"
        case (("setchannel" | "addchannel" | "togglechannel"), [channel, *_]) if int(channel) not in CHANNELS:
            yield f"channel {channel}"
