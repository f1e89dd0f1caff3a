"""The configuration file: ``/api/v1/settings``. The gateway reads, checks and writes it; here is its interface."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from wattrail.access import Scope
from wattrail.web.gateway_calls import GatewayCalls
from wattrail.web.openapi import may_fail
from wattrail.web.permissions import needs
from wattrail.web.problem_handlers import InvalidValueJson

__all__ = ["settings_router"]

_MAX_CHANGES: Final = 100
_MAX_TEXT: Final = 60_000
"""Characters of the text; a body has 64 KiB at most. A larger file is changed by tables, or by hand."""

_SCHEMA: Final = TypeAdapter(dict[str, Any])

Version = Annotated[str, Field(max_length=64, description="The version that was shown.", examples=["3f2a91c04be7d815"])]
MeterText = Annotated[str, Field(min_length=1, max_length=64, examples=["house"])]


class _SettingsBody(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ChangeJson(_SettingsBody):
    """A table that becomes ``value``; with null it is removed.

    ``item``, from 0, is one of several tables of that name; with a value and without an item another one is added.
    ``(kept)`` stands for a secret that stays as it is.
    """

    table: Annotated[str, Field(pattern=r"^[a-z]+(\.[a-z0-9_]+)?$", max_length=60, examples=["meter"])]
    item: Annotated[int, Field(ge=0, le=10_000)] | None = None
    value: dict[str, Any] | None = None


class ChangesJson(_SettingsBody):
    """Changes that are made together, or not at all."""

    version: Version
    changes: Annotated[list[ChangeJson], Field(min_length=1, max_length=_MAX_CHANGES)]


class ShownTextJson(BaseModel):
    """The text of the file; each secret in it is a mark, ``(kept 3f2a91c0)``, which belongs to its line."""

    version: str
    text: str


class SettingsTextJson(_SettingsBody):
    """Another text; a mark stands for the secret that was there when it was shown."""

    version: Version
    text: Annotated[str, Field(max_length=_MAX_TEXT)]


class RenameJson(_SettingsBody):
    """Another name for a meter."""

    version: Version
    old: MeterText
    new: MeterText


class SettingsJson(BaseModel):
    """The file as it is now. ``tables`` are without secrets, and null where the text cannot be read.

    ``problems`` are what is wrong with it now, ``read_only`` why the gateway cannot write it. ``simulated``: a twin
    runs, and the first meter takes its place. ``backup`` is where the text before the last change is kept.
    """

    file: str
    is_there: bool
    version: str
    tables: dict[str, Any] | None
    problems: list[InvalidValueJson]
    read_only: str | None
    backup: str
    simulated: bool


class WrittenJson(BaseModel):
    """What a change does, in phrases."""

    version: str
    changes: list[str]


class PortJson(BaseModel):
    """A port of the gateway's machine with a device behind it; it was not opened."""

    url: str
    description: str
    carries: str


class NetworkMeterJson(BaseModel):
    """A meter that answered, with a name that is free."""

    name: str
    url: str
    description: str
    measures: list[str]
    simulated: bool


class DiscoveryJson(BaseModel):
    """What may be a meter. ``hidden`` are adapters without a port and why; ``actions`` say who was asked."""

    ports: list[PortJson]
    hidden: list[str]
    network: list[NetworkMeterJson]
    actions: list[str]
    problems: list[str]


def settings_router(calls: GatewayCalls) -> APIRouter:
    """The routes of the settings."""
    router = APIRouter(prefix="/api/v1/settings", tags=["settings"])

    async def apply(action: str, body: _SettingsBody) -> WrittenJson:
        return WrittenJson.model_validate(await calls.call(f"settings.{action}", **body.model_dump()))

    @router.get("")
    @needs(Scope.ADMIN)
    async def settings() -> SettingsJson:
        """The configuration file: its tables, its version, and what is wrong with it."""
        return SettingsJson.model_validate(await calls.call("settings.show"))

    @router.get("/schema")
    @needs(Scope.ADMIN)
    async def schema() -> dict[str, Any]:
        """What each table may hold, as JSON Schema: types, bounds, defaults and what a field is for."""
        return _SCHEMA.validate_python(await calls.call("settings.schema"))

    @router.patch("", responses=may_fail(409))
    @needs(Scope.ADMIN)
    async def change(body: ChangesJson) -> WrittenJson:
        """Change tables. The file keeps its comments, and the gateway reads it again; the answer comes before that.

        What is wrong is named by its field, and changes nothing; neither does what needs a restart.
        """
        return await apply("change", body)

    @router.post("/check", responses=may_fail(409))
    @needs(Scope.ADMIN)
    async def check(body: ChangesJson) -> WrittenJson:
        """What the same changes would do; nothing is written."""
        return await apply("check", body)

    @router.get("/text")
    @needs(Scope.ADMIN)
    async def text() -> ShownTextJson:
        """The text of the file, also where it cannot be read as TOML."""
        return ShownTextJson.model_validate(await calls.call("settings.text"))

    @router.put("/text", responses=may_fail(409))
    @needs(Scope.ADMIN)
    async def change_text(body: SettingsTextJson) -> WrittenJson:
        """Write another text, which must be right as a whole."""
        return await apply("change_text", body)

    @router.post("/text/check", responses=may_fail(409))
    @needs(Scope.ADMIN)
    async def check_text(body: SettingsTextJson) -> WrittenJson:
        """What another text would change; nothing is written."""
        return await apply("check_text", body)

    @router.post("/rename", responses=may_fail(409))
    @needs(Scope.ADMIN)
    async def rename(body: RenameJson) -> WrittenJson:
        """Give a meter another name: ledger, calibrations and identity at other programs stay with it."""
        return await apply("rename", body)

    @router.get("/discovery")
    @needs(Scope.ADMIN)
    async def discovery(
        network: Annotated[bool, Query(description="Also ask the network by mDNS and SSDP, for some seconds.")] = False,
    ) -> DiscoveryJson:
        """What may be a meter and is not configured: ports with a device, and on request meters of the network."""
        return DiscoveryJson.model_validate(await calls.call("settings.discover", network=network))

    return router
