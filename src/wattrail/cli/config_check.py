"""``wattrail config check``."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

from cyclopts import Parameter

from wattrail.app.config import FILE_NAME, config_errors, database_of, find_config, parse_config
from wattrail.cli import output
from wattrail.cli.exits import Exit, UsageError
from wattrail.cli.option_types import Json
from wattrail.cli.run import notices
from wattrail.database_address import PostgresAddress
from wattrail.errors import ConfigError, FileError, WattrailError
from wattrail.files import read_text
from wattrail.sanitize import hide_credentials, printable
from wattrail.sources import Secrets
from wattrail.urls import innermost

if TYPE_CHECKING:
    from wattrail.app import ServicePlan
    from wattrail.app.schema import Config
    from wattrail.toml_schema.section import Section


def check(
    config: Annotated[
        Path | None,
        Parameter(name=("--config", "--file"), help=f"Configuration file; else {FILE_NAME} here, else your own."),
    ] = None,
    *,
    json: Json = False,
) -> int:
    """Say everything that is wrong with the configuration.

    Every problem has its line and its remedy. Without one it says what 'wattrail run' would start. Nothing is opened:
    no port, no database, no connection.
    """
    path = config or find_config()
    if path is None:
        raise UsageError(f"there is no {FILE_NAME} here, and none of your own", hint="name the file to check")
    name = printable(str(path))
    plan, problems = _checked(read_text(path), name)
    if json:
        print(dumps(_object(name, plan, problems)))
    elif plan is None or problems:
        print("\n".join(line for problem in problems for line in _problem_lines(problem)))
    else:
        print("\n".join([f"{name}: nothing is wrong; 'wattrail run' would start", *_plan_lines(plan)]))
        for notice in notices(plan):
            output.note(notice)
    return Exit.USAGE if problems else Exit.DONE


def _checked(text: str, name: str) -> tuple[ServicePlan | None, list[WattrailError]]:
    """The plan of a configuration where there is one, and everything wrong with the file and what it refers to."""
    from wattrail.app import plan_service

    if errors := config_errors(text, name):
        return None, list(errors)
    config = parse_config(text, name)
    try:
        plan = plan_service(config)
    except WattrailError as error:
        return None, [error, *_environment_problems(config)]
    return plan, list(_environment_problems(config))


def _environment_problems(config: Config) -> Iterator[WattrailError]:
    """What is wrong with the files that a right configuration refers to: secrets and certificates."""
    yield from _certificate_problems(config)
    # Without the system's password store, which may ask its owner: a check asks nothing.
    secrets, seen = Secrets(uses_keyring=False), set[str]()
    for login in sorted(_logins(config)):
        try:
            secrets.find(login)
        except WattrailError as error:
            if str(error) not in seen:  # the file is one for all logins
                seen.add(str(error))
                yield error
    for table, section in _publishers(config):
        ca_file = getattr(section, "ca_file", None)
        if ca_file is None:
            continue
        try:
            ssl.create_default_context(cafile=ca_file)
        except OSError as error:
            yield FileError(
                f"[publish.{table}]: ca_file {printable(ca_file)} cannot be used: {error.strerror or error}",
                hint="give the certificate of the authority as PEM text",
            )


def _certificate_problems(config: Config) -> Iterator[WattrailError]:
    """What is wrong with the certificate of the page, whether it is an error at the start or a warning."""
    from wattrail.web.tls import CertificateFiles, certificate_warning

    site = config.site
    if site.certificate is None or site.key is None:
        return
    try:
        warning = certificate_warning(CertificateFiles(Path(site.certificate), Path(site.key)))
    except WattrailError as error:
        yield error
        return
    if warning is not None:
        yield ConfigError(f"[site]: {warning}")


def _publishers(config: Config) -> Iterator[tuple[str, Section]]:
    """Every table of a publisher that stands in the file, beside its name."""
    for table in config.publish.model_fields_set:
        value = getattr(config.publish, table)
        for section in value if isinstance(value, list) else [value]:
            if section is not None:
                yield table, section


def _logins(config: Config) -> set[str]:
    """The names under which logins are looked up."""
    names = set()
    for _, section in _publishers(config):
        names |= {getattr(section, "login", None) or _usual_login(section), getattr(section, "secret", None) or ""}
    for meter in config.meter:
        if meter.planned().is_network:
            url = innermost(meter.url)
            names.add(url.query.get("login") or url.host or "")
    database = database_of(config)
    if isinstance(database, PostgresAddress):
        names.add(database.login or database.host)
    return names - {""}


def _usual_login(section: Section) -> str:
    """The login of a publisher that names none: the host, where one is looked up at all."""
    from wattrail.app.publish_schema import InfluxSection

    place = getattr(section, "broker", "") or (section.url if isinstance(section, InfluxSection) else "")
    return urlsplit(place).hostname or ""


def _problem_lines(problem: WattrailError) -> list[str]:
    hint = [f"  hint: {output.with_options(problem.hint)}"] if problem.hint else []
    return [f"problem: {problem}", *hint]


def _plan_lines(plan: ServicePlan) -> Iterator[str]:
    for meter in plan.gateway.meters:
        yield f"meter     {meter.name}  {hide_credentials(meter.url)}"
    for virtual in plan.gateway.virtual:
        yield f"virtual   {virtual.name}  {virtual.definition.url}"
    for rule in plan.alarms:
        yield f"alarm     {rule.name}  {rule.kind} of {', '.join(rule.meters) or 'every meter'}"
    yield f"database  {printable(str(plan.database))}"
    if plan.web is not None:
        yield f"page      {plan.web.host}, port {plan.web.port}"
    for consumer in plan.consumers:
        yield f"publish   {consumer.name}  {consumer.target}"
    if plan.web is not None and plan.web.metrics is not None:
        yield "publish   openmetrics  /metrics"


def _object(name: str, plan: ServicePlan | None, problems: list[WattrailError]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "file": name, "problems": [{"message": str(problem), "hint": problem.hint} for problem in problems],
    }  # fmt: skip
    if plan is None or problems:
        return found
    return found | {
        "meters": [{"name": meter.name, "url": hide_credentials(meter.url)} for meter in plan.gateway.meters],
        "virtual": [{"name": one.name, "definition": one.definition.url} for one in plan.gateway.virtual],
        "alarms": [{"name": rule.name, "kind": rule.kind, "meters": list(rule.meters)} for rule in plan.alarms],
        "database": str(plan.database),
        "page": {"host": plan.web.host, "port": plan.web.port} if plan.web else None,
        "consumers": [{"name": consumer.name, "target": consumer.target} for consumer in plan.consumers],
    }
