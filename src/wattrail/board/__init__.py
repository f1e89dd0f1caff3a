"""Boards as data: what is wired to which pin, which board something is, and exports to firmwares.

``model`` has the records, ``catalogue`` reads the files in ``data``; ``stock_configuration`` and ``openbeken_roles``
make an ``ObservedWiring`` of what a board says of itself, and ``match`` finds the boards that it fits.
"""

from wattrail.board.catalogue import board_names, known_boards, load_board, load_front_panel, parse_board
from wattrail.board.device_database import DeviceEntry, devices_of_database, search_boards
from wattrail.board.dump import calibration_in_dump, wirings_of_dump
from wattrail.board.export import ExportTarget, export_board
from wattrail.board.front_panel import FrontPanel
from wattrail.board.match import BoardMatch, MatchConfidence, match_boards
from wattrail.board.match_record import match_record
from wattrail.board.model import BoardDescription
from wattrail.board.observation import ObservedWiring, disagreements
from wattrail.board.openbeken_roles import wiring_of_device, wiring_of_template
from wattrail.board.stock_configuration import parse_configuration, wiring_of_configuration, wiring_of_stock

__all__ = [
    "BoardDescription", "BoardMatch", "DeviceEntry", "ExportTarget", "FrontPanel", "MatchConfidence", "ObservedWiring",
    "board_names", "calibration_in_dump", "devices_of_database", "disagreements", "export_board", "known_boards",
    "load_board", "load_front_panel", "match_boards", "match_record", "parse_board", "parse_configuration",
    "search_boards", "wiring_of_configuration", "wiring_of_device", "wiring_of_stock", "wiring_of_template",
    "wirings_of_dump",
]  # fmt: skip
