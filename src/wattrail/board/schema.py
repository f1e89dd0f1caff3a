"""The tables of a board file and of the front panel. Imported when a board is read: needs pydantic."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Self

from pydantic import Field, model_validator

from wattrail.board.front_panel import (
    FrontPanel,
    LedPattern,
    PanelAction,
    PanelGesture,
    PanelState,
    parse_pattern,
)
from wattrail.board.model import (
    ActiveLevel,
    BoardDescription,
    BoardKind,
    BoardMeter,
    BoardMeterBus,
    BoardPin,
    BoardPinRole,
    FactGroup,
    FactSource,
    StockDatapoint,
    StockProduct,
    chip_of_module,
)
from wattrail.front_end import FRONT_ENDS
from wattrail.toml_schema import field_error
from wattrail.toml_schema.section import Section

__all__ = ["BoardFile", "FrontPanelFile"]

_METERING_CHIPS = ("bl0942", "bl0940", "bl0939", "bl0937", "hlw8012", "hlw8032", "cse7766")
_MAX_PIN = 63
_Text = Annotated[str, Field(min_length=1, max_length=300)]


class PinSection(Section):
    """One of ``[[pins]]``."""

    pin: Annotated[int, Field(ge=0, le=_MAX_PIN)]
    role: Annotated[BoardPinRole, Field(strict=False)]
    active: Annotated[ActiveLevel, Field(strict=False)] = ActiveLevel.UNKNOWN
    channel: Annotated[int, Field(ge=0, le=16)] = 0

    def board_pin(self) -> BoardPin:
        """The pin of the board."""
        return BoardPin(self.pin, self.role, self.active, self.channel)


class MeterTable(Section):
    """``[meter]``."""

    bus: Annotated[BoardMeterBus, Field(strict=False)]
    chip: str = ""
    baud: Annotated[int, Field(ge=300, le=1_000_000)] | None = None
    front_end: str | None = None
    shunt_milliohms: Annotated[float, Field(gt=0, le=1000)] | None = None

    @model_validator(mode="after")
    def _is_known(self) -> Self:
        if self.chip and self.chip not in _METERING_CHIPS:
            known = ", ".join(_METERING_CHIPS)
            raise field_error(("chip",), f"unknown metering chip {self.chip!r}; known: {known}", got=self.chip)
        # Behind a microcontroller the module does not see which chip measures.
        if not self.chip and self.bus is not BoardMeterBus.TUYAMCU:
            raise field_error(("chip",), f"a meter on {self.bus} needs the name of its chip")
        if self.front_end is not None and self.front_end not in FRONT_ENDS:
            known = ", ".join(FRONT_ENDS)
            raise field_error(("front_end",), f"unknown front end {self.front_end!r}; known: {known}")
        if self.front_end is not None and self.chip not in FRONT_ENDS[self.front_end].chips:
            raise field_error(
                ("front_end",),
                f"{self.front_end} is a front end of {', '.join(FRONT_ENDS[self.front_end].chips)}, got {self.chip}",
            )
        return self

    def wiring(self) -> BoardMeter:
        """The wiring of the board."""
        return BoardMeter(self.bus, self.chip, self.baud, self.front_end, self.shunt_milliohms)


class DatapointSection(Section):
    """One of ``[[datapoints]]``."""

    # One byte on the wire of the microcontroller.
    id: Annotated[int, Field(ge=1, le=255)]
    quantity: _Text
    unit: str
    decimals: Annotated[int, Field(ge=0, le=6)] = 0

    def datapoint(self) -> StockDatapoint:
        """The data point of the board."""
        return StockDatapoint(self.id, self.quantity, self.unit, self.decimals)


class ProductSection(Section):
    """One of ``[[products]]``, which names its source itself: each was seen somewhere else."""

    key: Annotated[str, Field(pattern=r"^[a-z0-9]{8,16}$")]
    where: _Text
    note: str = ""

    def product(self) -> StockProduct:
        """The product of the board."""
        return StockProduct(self.key, self.where, self.note)


class FactSourceSection(Section):
    """One of ``[[sources]]``."""

    facts: list[Annotated[FactGroup, Field(strict=False)]]
    where: _Text
    note: str = ""

    def source(self) -> FactSource:
        """The source of the board."""
        return FactSource(tuple(self.facts), self.where, self.note)


class BoardFile(Section):
    """The whole file."""

    title: _Text
    kind: Annotated[BoardKind, Field(strict=False)]
    chip: _Text
    meter: MeterTable
    sources: list[FactSourceSection]
    vendor: str = ""
    models: list[str] = Field(default_factory=list)
    module: str = ""
    pins: list[PinSection] = Field(default_factory=list)
    datapoints: list[DatapointSection] = Field(default_factory=list)
    firmware: list[str] = Field(default_factory=list)
    products: list[ProductSection] = Field(default_factory=list)
    note: str = ""

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        seen: set[int] = set()
        for number, pin in enumerate(self.pins):
            if pin.pin in seen:
                raise field_error(("pins", number, "pin"), f"P{pin.pin} has two roles; keep one of them")
            seen.add(pin.pin)
        chip = chip_of_module(self.module)
        if chip and chip != self.chip:
            raise field_error(("chip",), f"the module {self.module} has a {chip}, got {self.chip}")
        roles = {pin.role for pin in self.pins}
        # Such a chip gives voltage and current on one pin, and SEL chooses between them.
        if self.meter.bus is BoardMeterBus.PULSES and not roles >= {
            BoardPinRole.CF,
            BoardPinRole.CF1,
            BoardPinRole.SEL,
        }:
            raise field_error(("pins",), "a meter of pulses needs pins with the roles cf, cf1 and sel")
        return self

    @model_validator(mode="after")
    def _every_fact_has_a_source(self) -> Self:
        # A fact without a source cannot be checked by the next reader, so the file is refused.
        named = {fact for source in self.sources for fact in source.facts}
        missing = [fact.value for fact in self._facts() if fact not in named]
        if missing:
            raise field_error(("sources",), f"no source is named for {', '.join(missing)}")
        return self

    def _facts(self) -> Iterator[FactGroup]:
        yield FactGroup.MODULE
        yield FactGroup.METER
        if self.pins:
            yield FactGroup.PINS
        if self.meter.front_end or self.meter.shunt_milliohms:
            yield FactGroup.FRONT_END
        if self.datapoints:
            yield FactGroup.DATAPOINTS

    def board(self, name: str) -> BoardDescription:
        """The board under the name of its file."""
        return BoardDescription(
            name=name,
            title=self.title,
            kind=self.kind,
            chip=self.chip,
            meter=self.meter.wiring(),
            sources=tuple(source.source() for source in self.sources),
            vendor=self.vendor,
            models=tuple(self.models),
            module=self.module,
            pins=tuple(pin.board_pin() for pin in self.pins),
            datapoints=tuple(point.datapoint() for point in self.datapoints),
            firmware=tuple(self.firmware),
            products=tuple(product.product() for product in self.products),
            note=self.note,
        )


class GestureSection(Section):
    """One of ``[[gestures]]``."""

    action: Annotated[PanelAction, Field(strict=False)]
    min_s: Annotated[float, Field(gt=0, le=20)]
    warn_s: Annotated[float, Field(ge=0, le=10)] = 0.0

    @model_validator(mode="after")
    def _warns_within(self) -> Self:
        if self.warn_s and self.warn_s >= self.min_s:
            raise field_error(("warn_s",), f"must be less than min_s, {self.min_s:g} s")
        return self


class PatternSection(Section):
    """One of ``[[patterns]]``."""

    state: Annotated[PanelState, Field(strict=False)]
    pattern: str

    @model_validator(mode="after")
    def _can_be_shown(self) -> Self:
        try:
            parse_pattern(self.pattern)
        except ValueError as error:
            raise field_error(("pattern",), str(error), got=self.pattern) from error
        return self


class FrontPanelFile(Section):
    """Gestures and patterns of ``front_panel.toml``, or of a person's own file."""

    gestures: list[GestureSection] = Field(default_factory=list)
    patterns: list[PatternSection] = Field(default_factory=list)

    def panel(self) -> FrontPanel:
        """The panel, its patterns in the order of their states."""
        # The first state that holds is shown: the order is their priority, whatever a file's own is.
        order = list(PanelState)
        return FrontPanel(
            tuple(PanelGesture(one.action, one.min_s, one.warn_s) for one in self.gestures),
            tuple(
                LedPattern(one.state, parse_pattern(one.pattern))
                for one in sorted(self.patterns, key=lambda one: order.index(one.state))
            ),
        )
