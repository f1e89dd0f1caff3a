"""``wattrail twin list``."""

from __future__ import annotations

from json import dumps

from wattrail.cli.option_types import Json
from wattrail.errors import needs_library


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
