"""One meter on the page: made once, then only what changed is sent."""

from __future__ import annotations

import json
from datetime import datetime
from urllib.parse import quote
from zoneinfo import ZoneInfo

from nicegui import ui
from nicegui.elements.mixins.text_element import TextElement

from wattrail.gateway import Feed, MeterView, State
from wattrail.ledger import Totals
from wattrail.units import QUANTITIES
from wattrail.web import words
from wattrail.web.chart import chart_options, chart_points

__all__ = ["Card", "text"]


def text(tag: str, content: str = "", *, classes: str = "") -> TextElement:
    """An element that holds a text."""
    return TextElement(tag=tag, text=content).classes(classes)


class Card:
    """A meter's card."""

    def __init__(self, view: MeterView, *, zone: ZoneInfo | None) -> None:
        self.name = view.name
        self._zone = zone
        self._drawn_until: datetime | None = None
        with ui.element("article").classes("meter").props(f'aria-label="Meter {view.name}"') as self._root:
            self._build_head(view)
            self._build_notice()
            with ui.element("div").classes("body"):
                with ui.element("div").classes("numbers"):
                    self._build_power()
                    self._build_quantities()
                    self._build_energy()
                with ui.element("figure").classes("hour"):
                    text("figcaption", "Power, last hour")
                    with (
                        ui.element("div")
                        .classes("plot")
                        .props(f'role="img" aria-label="Chart of the power of {view.name} during the last hour"')
                    ):
                        self._chart = ui.echart(chart_options())
                        self._nothing = text("p", "The line begins with the first reading.", classes="nothing")

    def show(self, view: MeterView, feed: Feed) -> str:
        """Bring the card up to date; returns the script that draws the new points, empty if there are none."""
        self._show_state(view)
        reading = view.reading
        word = words.direction(reading)
        self._direction.text = word
        self._power.text = words.quantity(words.POWER, reading).removeprefix("−")
        self._mark(
            {f"flow-{known.lower()}": known == word for known in words.DIRECTIONS}
            | {"is-unread": reading is None}
            | {f"is-{state.value}": state is view.state for state in State}
        )
        for quantity, value in self._quantities:
            value.text = words.quantity(quantity, reading)
        for totals, cells in ((view.today, self._today), (view.total, self._total)):
            _show_energy(totals, cells)
        unknown = view.total.undirected_mwh if view.total else 0
        self._undirected.text = f"Direction unknown: {words.kilowatt_hours(unknown)} kWh" if unknown else ""
        return self._draw(feed)

    def _build_head(self, view: MeterView) -> None:
        with ui.element("header"):
            with ui.element("div").classes("who"):
                text("h2", view.name)
                self._url = text("p", view.url, classes="url")
                link = text("a", "Oscilloscope", classes="scope-link")
                link.props(f'href="/scope/{quote(view.name)}" aria-label="Oscilloscope of {view.name}"')
            with ui.element("div").classes("marks"):
                self._badge = text("span", words.SIMULATED, classes="badge")
                with ui.element("p").classes("state").props('role="status"'):
                    text("span", classes="dot").props('aria-hidden="true"')
                    self._state = text("span", classes="state-word")
                    self._state_detail = text("span", classes="state-detail")

    def _build_notice(self) -> None:
        with ui.element("div").classes("notice").props('role="alert"') as self._notice:
            self._error = text("p", classes="error")
            self._hint = text("p", classes="hint")
            self._retry = text("p", classes="retry")

    def _build_power(self) -> None:
        with ui.element("div").classes("power"):
            self._direction = text("span", classes="direction")
            with ui.element("p").classes("amount"):
                self._power = text("span", classes="watts")
                text("span", words.POWER.unit, classes="unit")

    def _build_quantities(self) -> None:
        self._quantities = []
        with ui.element("dl").classes("quantities"):
            for quantity in QUANTITIES:
                if quantity is words.POWER:
                    continue
                with ui.element("div"):
                    text("dt", quantity.label)
                    with ui.element("dd"):
                        self._quantities.append((quantity, text("span", classes=f"value {quantity.key}")))
                        text("span", quantity.unit, classes="unit")

    def _build_energy(self) -> None:
        with ui.element("table").classes("energy"):
            with ui.element("thead"), ui.element("tr"):
                for title in ("Energy", "Today", "Total"):
                    text("th", title).props('scope="col"')
            with ui.element("tbody"):
                rows = [_energy_row("Import"), _energy_row("Export")]
        self._today, self._total = [row[0] for row in rows], [row[1] for row in rows]
        self._undirected = text("p", classes="undirected")

    def _show_state(self, view: MeterView) -> None:
        word, detail = words.state_line(view, self._zone)
        self._state.text, self._state_detail.text = word, detail
        self._url.text = view.url
        self._badge.set_visibility(view.simulated)
        self._notice.set_visibility(view.error is not None)
        self._error.text = view.error or ""
        self._hint.text = f"Try this: {view.hint}" if view.hint else ""
        retry_at = view.retry_at
        self._retry.text = f"Next attempt at {words.clock_time(retry_at, self._zone)}" if retry_at else ""

    def _mark(self, classes: dict[str, bool]) -> None:
        wanted = " ".join(name for name, holds in classes.items() if holds)
        self._root.classes(add=wanted, remove=" ".join(name for name, holds in classes.items() if not holds))

    def _draw(self, feed: Feed) -> str:
        points = feed.recent(self.name, since=self._drawn_until)
        self._nothing.set_visibility(not points and self._drawn_until is None)
        if not points:
            return ""
        self._drawn_until = points[-1].start
        return f"wattrail.draw({self._chart.id}, {json.dumps(chart_points(points))});"


def _energy_row(title: str) -> tuple[TextElement, TextElement]:
    with ui.element("tr").classes(title.lower()):
        text("th", title).props('scope="row"')
        return _energy_cell(), _energy_cell()


def _energy_cell() -> TextElement:
    with ui.element("td"):
        value = text("span", classes="value")
        text("span", "kWh", classes="unit")
    return value


def _show_energy(totals: Totals | None, cells: list[TextElement]) -> None:
    values = (totals.import_mwh, totals.export_mwh) if totals else (None, None)
    for cell, value in zip(cells, values, strict=True):
        cell.text = words.kilowatt_hours(value)
