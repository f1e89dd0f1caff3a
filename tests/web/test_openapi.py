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

SEED = 20261129
NO_END = "/api/v1/events"
MAX_EXAMPLES = 20
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
    with Served(site, elsewhere=True) as running:
        yield running


@pytest.fixture(scope="module")
def interface(served: Served) -> schemathesis.BaseSchema:
    schema = schemathesis.openapi.from_url(f"{served.address}/api/v1/openapi.json", headers=served.site.more)
    return schema.exclude(path=NO_END)  # a stream without an end; test_access_rules follows it


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
    with urlopen(Request(f"{served.address}{path}", headers=served.site.more), timeout=20) as answer:
        return json.loads(answer.read())


def checks_of(operation: APIOperation) -> tuple[Callable[..., object], ...]:
    """A time that is none, or a span that ends before it begins, is refused: no schema of one value says so."""
    has_span = any(parameter.name in {"from", "at"} for parameter in operation.query)
    return tuple(check for check in CHECKS if not (has_span and check is positive_data_acceptance))


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
        case.call_and_validate(headers=served.site.more, checks=checks, timeout=20)

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
