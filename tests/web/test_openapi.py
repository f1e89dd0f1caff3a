"""What the interface says of itself, and whether it keeps it: requests that it allows, and many that it does not."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any
from urllib.request import Request, urlopen

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis import Case, GenerationMode
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    ignored_auth,
    missing_required_header,
    negative_data_rejection,
    positive_data_acceptance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
    use_after_free,
)

from tests.web.access_rig import Served, Site
from wattrail.access import Scope
from wattrail.app import plan_service
from wattrail.app.gateway_health import GatewayHealth
from wattrail.app.page_actions import page_actions
from wattrail.app.settings import Settings
from wattrail.app.settings_file import SettingsFile
from wattrail.clock import SystemClock
from wattrail.gateway import Feed
from wattrail.gateway.recent_log import RecentLog
from wattrail.store import open_store

SEED = 20261129
NO_END = "/api/v1/events"
"""A stream without an end; test_access_rules follows it."""

SEARCH = "/api/v1/settings/discovery"
"""Looks for meters beyond the loopback."""

MAX_EXAMPLES = 20 if settings.get_current_profile_name() == "fresh" else 10
"""Of each operation and of either kind; ``make fuzz`` tries more of them."""

CHECKS = (
    schemathesis.checks.not_a_server_error, content_type_conformance, ignored_auth, missing_required_header,
    negative_data_rejection, positive_data_acceptance, response_headers_conformance, response_schema_conformance,
    status_code_conformance, unsupported_method, use_after_free,
)  # fmt: skip


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    site = Site(tmp_path_factory.mktemp("openapi"))
    site.user("anna", Scope.ADJUST)
    site.more["Authorization"] = f"Bearer {site.token('schemathesis', Scope.ADMIN)}"
    file = site.folder / "wattrail.toml"
    file.write_text('[[meter]]\nname = "house"\nurl = "twin://pziot-e01"\n')
    with open_store(site.database) as store:
        health = GatewayHealth(store, SystemClock(), counters=dict, prices=tuple, log=RecentLog())
        actions = page_actions(
            store, Feed(), health, lambda _names: (), settings=Settings(SettingsFile(file), plan_service)
        )
        with Served(site, elsewhere=True, actions=actions) as running:
            yield running


@pytest.fixture(scope="module")
def interface(served: Served) -> schemathesis.BaseSchema:
    schema = schemathesis.openapi.from_url(f"{served.address}/api/v1/openapi.json", headers=served.site.more)
    return schema.exclude(path=[NO_END, SEARCH])


def test_the_description_is_complete(served: Served) -> None:
    document = asked(served, "/api/v1/openapi.json")
    assert {"token", "session"} == set(document["components"]["securitySchemes"])
    operations = {
        f"{method} {path}": operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }
    ids = [operation["operationId"] for operation in operations.values()]
    assert len(set(ids)) == len(ids)
    for name, operation in operations.items():
        assert operation["summary"], name
        assert operation["description"], name
        assert operation["tags"], name
        assert {"400", "403", "413", "500", "503"} <= set(operation["responses"]), name
        assert operation["security"] or name in {"post /api/v1/session", "get /api/v1/problems/{kind}"}, name
        for status, response in operation["responses"].items():
            if int(status) >= 400:
                content = response["content"]["application/problem+json"]
                assert content["schema"] == {"$ref": "#/components/schemas/ProblemJson"}, (name, status)
                assert content["example"]["status"] == int(status), (name, status)
    needed = {name: operation.get("x-scope") for name, operation in operations.items()}
    assert needed["get /api/v1/meters"] == "read"
    assert needed["post /api/v1/alarms/{number}/acknowledge"] == "adjust"
    assert needed["get /api/v1/audit"] == "admin"


def test_older_readers_get_the_same_in_the_terms_of_3_0(served: Served) -> None:
    new, old = (asked(served, path) for path in ("/api/v1/openapi.json", "/api/v1/docs/openapi.json"))
    assert (new["openapi"], old["openapi"]) == ("3.1.0", "3.0.3")
    assert set(new["paths"]) == set(old["paths"])
    text = json.dumps(old["components"])
    assert '"type": "null"' in json.dumps(new["components"])
    for word in ('"type": "null"', '"const"', '"prefixItems"', '"examples"'):
        assert word not in text
    volts = old["components"]["schemas"]["ReadingJson"]["properties"]["volts"]
    assert volts == {"type": "number", "nullable": True, "title": "Volts"}


def asked(served: Served, path: str) -> Any:
    with urlopen(Request(f"{served.address}{path}", headers=served.site.more), timeout=60) as answer:
        return json.loads(answer.read())


def checks_of(operation: APIOperation) -> tuple[Callable[..., object], ...]:
    """All of them, but for what no schema of one value can say.

    A time that is none, a span that ends before it begins, a password that everybody uses and a file of text
    are refused. A text beyond its limit is refused by the size of the body, with 413, which schemathesis does not
    count as a refusal.
    """
    has_span = any(parameter.name in {"from", "at"} for parameter in operation.query)
    is_judged = has_span or "/users" in operation.path or operation.path.endswith("/inspect")
    left_out: set[object] = {positive_data_acceptance} if is_judged else set()
    if operation.path.startswith("/api/v1/settings/text"):
        left_out.add(negative_data_rejection)
    return tuple(check for check in CHECKS if check not in left_out)


def tried(operation: APIOperation, mode: GenerationMode, served: Served) -> None:
    """Send requests of one operation, as they should be or as they should not."""
    checks = checks_of(operation)

    @seed(SEED)
    @settings(
        max_examples=MAX_EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck),
        phases=[Phase.explicit, Phase.generate],
    )  # fmt: skip
    @given(case=operation.as_strategy(generation_mode=mode))
    def send(case: Case) -> None:
        case.call_and_validate(headers=served.site.more, checks=checks, timeout=60)

    send()


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["allowed", "not allowed"])
def test_every_request_gets_an_answer_that_is_described(
    interface: schemathesis.BaseSchema, served: Served, mode: GenerationMode
) -> None:
    operations = [result.ok() for result in interface.get_all_operations()]
    assert len(operations) >= 16
    for operation in operations:
        if mode is GenerationMode.POSITIVE or [*operation.query, *operation.body]:  # else nothing can be wrong
            tried(operation, mode, served)
