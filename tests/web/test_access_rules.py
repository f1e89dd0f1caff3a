"""The rules of access, each as an attack: what strangers, small scopes and foreign pages get."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.web.access_rig import PASSWORD, Site, record, visit
from wattrail.access import Scope
from wattrail.access.tokens import new_token
from wattrail.gateway import Feed
from wattrail.store.access import AccessBook
from wattrail.web import Setup, limits
from wattrail.web.app import build_app, meters_json
from wattrail.web.events import Broadcast
from wattrail.web.messages import MetricsSetup
from wattrail.web.permissions import Permissions, is_declared, is_public
from wattrail.web.waveform import Waveforms

READ = ("/api/v1/meters", "/api/v1/health", "/api/v1/about", "/api/v1/openapi.json", "/api/v1/docs", "/metrics")
OPEN = {
    "/login",
    "/assets/{name}",
    "/assets/{kind}.{language}.json",
    "/api/v1/session",
    "/api/v1/problems/{kind}",
    "/api/v1/docs/{name}",
}


@pytest.fixture
def site(tmp_path: Path, quick_passwords: None) -> Site:
    return Site(tmp_path)


def routes_of(database: Path) -> Permissions:
    feed = Feed()
    guard = build_app(
        feed, Setup(database=database, metrics=MetricsSetup()), Broadcast(feed, meters_json), Waveforms(lambda _: None)
    )
    permissions = guard._app
    assert isinstance(permissions, Permissions)
    return permissions


def test_every_route_declares_its_scope_and_few_are_for_everybody(tmp_path: Path) -> None:
    routes = routes_of(tmp_path / "none.sqlite")._routes
    assert [route.path for route in routes if not is_declared(route)] == []
    assert {route.path for route in routes if is_public(route)} == OPEN
    assert len(routes) >= 25
    public_methods = {method for route in routes if is_public(route) for method in route.methods or ()}
    assert public_methods == {"GET", "POST"}  # the POST is the login


def test_this_machine_needs_neither_user_nor_token(site: Site) -> None:
    async def story(site: Site) -> None:
        for path in (*READ, "/", "/api/v1/audit"):
            assert (await site.ask(f"GET {path}")).status == 200
        session = (await site.ask("GET /api/v1/session")).json
        assert (session["kind"], session["scope"], session["scopes"]) == (
            "machine",
            "admin",
            ["read", "adjust", "admin"],
        )
        assert (await site.ask("POST /api/v1/alarms/1/acknowledge")).status == 202

    visit(site, story)
    assert site.acknowledged == [1]


def test_from_elsewhere_nothing_is_given_without_a_login(site: Site) -> None:
    async def story(site: Site) -> None:
        for path in (*READ, "/api/v1/audit", "/api/v1/events", "/api/v1/session", "/api/v1/attic", "/api"):
            answer = await site.ask(f"GET {path}")
            assert answer.status == 401, path
            assert answer.headers["www-authenticate"] == 'Bearer realm="wattrail"'
            assert b"house" not in answer.body
        for what in ("POST /api/v1/alarms/1/acknowledge", "DELETE /api/v1/session", "PUT /api/v1/meters"):
            assert (await site.ask(what)).status == 401
        for path in ("/", "/scope/house", "/attic"):
            answer = await site.ask(f"GET {path}")
            assert (answer.status, answer.headers["location"]) == (303, f"/login?next={path}")
        for path in ("/login", "/assets/login.js", "/assets/dashboard.css", "/api/v1/problems/not-found"):
            assert (await site.ask(f"GET {path}")).status == 200

    visit(site, story, elsewhere=True)
    assert site.acknowledged == []


def test_a_token_opens_what_its_scope_includes_and_no_more(site: Site) -> None:
    tokens = {scope: site.token(f"for-{scope}", scope) for scope in Scope}

    async def story(site: Site) -> None:
        for scope, token in tokens.items():
            bearer = {"Authorization": f"Bearer {token}"}
            for path in READ:
                assert (await site.ask(f"GET {path}", **bearer)).status == 200
            assert (await site.ask("GET /api/v1/session", **bearer)).json["who"] == f"token for-{scope}"
            changed = await site.ask("POST /api/v1/alarms/1/acknowledge", **bearer)
            assert changed.status == (403 if scope is Scope.READ else 202)
            audit = await site.ask("GET /api/v1/audit", **bearer)
            assert audit.status == (200 if scope is Scope.ADMIN else 403)
            if scope is Scope.READ:
                assert changed.json["detail"] == "this needs the scope adjust, and token for-read has read"
                assert (changed.json["needed_scope"], audit.json["needed_scope"]) == ("adjust", "admin")

    visit(site, story, elsewhere=True)
    assert site.acknowledged == [1, 1]
    done = [(one.who, one.action, one.result) for one in site.audit() if "acknowledge" in one.action]
    assert done == [
        ("token for-admin", "POST /api/v1/alarms/1/acknowledge", "202"),
        ("token for-adjust", "POST /api/v1/alarms/1/acknowledge", "202"),
        (
            "token for-read",
            "POST /api/v1/alarms/1/acknowledge",
            "403 this needs the scope adjust, and token for-read has read",
        ),
    ]


def test_a_given_token_counts_also_on_this_machine(site: Site) -> None:
    token = site.token("small")

    async def story(site: Site) -> None:
        assert (await site.ask("GET /api/v1/audit", Authorization=f"Bearer {token}")).status == 403
        assert (await site.ask("GET /api/v1/meters", Authorization="Bearer nonsense")).status == 401
        assert (await site.ask("GET /api/v1/meters", Authorization="Basic YW5uYTpwYXNz")).status == 401

    visit(site, story)


def test_expired_revoked_and_unknown_tokens_open_nothing(site: Site) -> None:
    expired, revoked, unknown = site.token("old", days=-1), site.token("lost"), new_token()

    async def story(site: Site) -> None:
        assert (await site.ask("GET /api/v1/meters", Authorization=f"Bearer {revoked}")).status == 200
        with AccessBook(site.database) as book:
            book.revoke_token("lost", record("token revoke"))
        says = {expired: "the token 'old' is expired", revoked: "the token 'lost' is revoked", unknown: "not known"}
        for token, words in says.items():
            for text in (token, token.upper() if token == unknown else token):
                answer = await site.ask("GET /api/v1/meters", Authorization=f"Bearer {text}")
                assert answer.status == 401
            assert words in (await site.ask("GET /api/v1/meters", Authorization=f"Bearer {token}")).json["detail"]

    visit(site, story, elsewhere=True)
    with AccessBook(site.database) as book:
        used = {token.name: token.used_at is not None for token in book.tokens()}
    assert used == {"lost": True, "old": False}


def test_a_stream_ends_soon_after_its_token_is_revoked(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wattrail.web.events.EVERY_S", 0.02)
    token = site.token("page")

    async def story(site: Site) -> None:
        reader, writer = await asyncio.open_connection(site.host, site.port)
        lines = dict(site.more)
        lines |= {"Host": site.host, "Authorization": f"Bearer {token}", "Connection": "close"}
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        writer.write(f"GET /api/v1/events HTTP/1.1\r\n{head}\r\n".encode())
        assert b"house" in await asyncio.wait_for(reader.readuntil(b"\n\n\r\n"), 60)
        with AccessBook(site.database) as book:
            book.revoke_token("page", record("token revoke"))
        assert (await asyncio.wait_for(reader.read(), 60)).endswith(b"0\r\n\r\n")  # the last chunk: a proper end
        writer.close()

    visit(site, story, elsewhere=True)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 403),
        ({"Host": "meters.example.org"}, 200),
        ({"Host": "METERS.example.org:8443"}, 200),
        ({"Host": "meters.example.org.evil.example"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"X_Forwarded_Host": "evil.example"}, 401),  # not from this machine any more, and not believed
    ],
)
def test_only_names_of_the_configuration_are_served(site: Site, headers: dict[str, str], status: int) -> None:
    async def story(site: Site) -> None:
        assert (await site.ask("GET /api/v1/health", **headers)).status == status

    visit(site, story, setup=Setup(database=site.database, names=["meters.example.org"]))


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 403),  # a cookie, and no word of where it comes from
        ({"Origin": "http://HOST"}, 202),
        ({"Sec_Fetch_Site": "same-origin"}, 202),
        ({"Sec_Fetch_Site": "same-site"}, 403),
        ({"Sec_Fetch_Site": "cross-site"}, 403),
        ({"Sec_Fetch_Site": "cross-site", "Origin": "http://HOST"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "http://login.evil.example"}, 403),
        ({"Origin": "null"}, 403),
    ],
)
def test_a_foreign_page_changes_nothing_with_our_cookie(site: Site, headers: dict[str, str], status: int) -> None:
    site.user("anna", Scope.ADJUST)

    async def story(site: Site) -> None:
        here = f"{site.host}:{site.port}"
        lines = {name: value.replace("HOST", here) for name, value in headers.items()}
        cookie = await site.cookie("anna")
        answer = await site.ask("POST /api/v1/alarms/1/acknowledge", Cookie=cookie, **lines)
        assert answer.status == status

    visit(site, story, elsewhere=True)
    assert site.acknowledged == ([1] if status == 202 else [])


def test_a_foreign_page_changes_nothing_by_being_opened_on_this_machine(site: Site) -> None:
    async def story(site: Site) -> None:
        for headers in ({"Sec_Fetch_Site": "cross-site"}, {"Origin": "http://evil.example"}, {"Origin": "null"}):
            assert (await site.ask("POST /api/v1/alarms/1/acknowledge", **headers)).status == 403

    visit(site, story)
    assert site.acknowledged == []


@pytest.mark.parametrize("header", ["X-Forwarded-For", "X-Real-IP", "Forwarded", "Via", "X-Forwarded-Host"])
def test_what_came_through_a_proxy_is_not_this_machine(site: Site, header: str) -> None:
    async def story(site: Site) -> None:
        for value in ("127.0.0.1", "192.0.2.77", "for=127.0.0.1", "rubbish"):
            assert (await site.ask("GET /api/v1/meters", **{header: value})).status == 401

    visit(site, story)


def test_a_trusted_proxy_is_believed_about_visitor_scheme_and_host(site: Site) -> None:
    site.user("anna")
    forwarded = {
        "X-Forwarded-For": "203.0.113.9, 198.51.100.7, 127.0.0.1", "X-Forwarded-Proto": "https",
        "X-Forwarded-Host": "meters.example.org",
    }  # fmt: skip

    async def story(site: Site) -> None:
        assert (await site.ask("GET /api/v1/meters")).status == 401  # the proxy lets others in: it is not this machine
        answer = await site.login("anna", Origin="https://meters.example.org", **forwarded)
        assert answer.status == 200
        assert answer.headers["set-cookie"].startswith("__Host-wattrail=")
        assert "; Secure" in answer.headers["set-cookie"]
        assert "strict-transport-security" in answer.headers
        assert (await site.login("anna", **{**forwarded, "X-Forwarded-Host": "evil.example"})).status == 403

    visit(
        site, story,
        setup=Setup(database=site.database, names=["meters.example.org"], trusted_proxies=["127.0.0.0/8"]),
    )  # fmt: skip
    assert [(one.who, one.origin) for one in site.audit() if one.action == "login"] == [("anna", "198.51.100.7")]


def test_a_body_is_bounded_in_bytes_and_in_time(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "BODY_TIMEOUT_S", 0.2)

    async def story(site: Site) -> None:
        long = b"x" * (limits.MAX_BODY_BYTES + 1)
        assert (await site.ask("POST /api/v1/session", long)).status == 413
        head = f"POST /api/v1/session HTTP/1.1\r\nHost: {site.host}\r\nContent-Type: application/json\r\n"
        chunked = f"{head}Transfer-Encoding: chunked\r\n\r\n".encode() + b"fffff\r\n" + long  # and more to come
        assert (await site.send(chunked)).status == 413
        for cut_short in ("Content-Length: 30\r\n\r\n{", "Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n"):
            answer = await site.send((head + cut_short).encode())
            assert (answer.status, answer.headers["connection"]) == (408, "close")
            assert answer.json["title"] == "The body took too long"
        assert (await site.ask("GET /api/v1/meters", b"{}")).status == 413
        assert (await site.ask("GET /api/v1/health")).status == 200

    visit(site, story)


@pytest.mark.parametrize(
    "lines",
    [
        ("Content-Length: 4", "Transfer-Encoding: chunked"),
        ("Content-Length: 4", "Content-Length: 5"),
        ("Transfer-Encoding: xchunked",),
        ("Transfer-Encoding: chunked, identity",),
        ("Content-Length: +4",),
        ("Content-Length : 4",),
        ("Host: localhost",),
        tuple(f"X-{number}: y" for number in range(3000)),
    ],
    ids=["both lengths", "two lengths", "unknown", "two codings", "sign", "blank", "two hosts", "flood"],
)
def test_a_request_within_a_request_is_refused(site: Site, lines: tuple[str, ...]) -> None:
    async def story(site: Site) -> None:
        inner = b"0\r\n\r\nGET /api/v1/audit HTTP/1.1\r\nHost: localhost\r\n\r\n"
        head = "\r\n".join(["POST /api/v1/session HTTP/1.1", "Host: localhost", *lines])
        answer = await site.send(f"{head}\r\n\r\n".encode() + inner)
        assert (answer.status, answer.headers["connection"]) == (400, "close")
        assert answer.headers["content-type"] == "application/problem+json"
        assert b"\r\nHTTP/1.1 " not in answer.body  # one answer, to one request

    visit(site, story)


def test_a_reader_that_lags_behind_is_disconnected(site: Site) -> None:
    async def story() -> None:
        feed = Feed()
        broadcast = Broadcast(feed, meters_json)
        slow, quick = broadcast.stream(), broadcast.stream()
        for stream in (slow, quick):
            await anext(stream)
        for _ in range(20):
            broadcast._publish([])
            assert await anext(quick)
        waited = [event async for event in slow]
        assert len(waited) == 5  # what waited for it, and then its end
        await quick.aclose()

    asyncio.run(story())


def test_strangers_bodies_are_not_even_read(site: Site) -> None:
    async def story(site: Site) -> None:
        answer = await site.send(
            f"POST /api/v1/alarms/1/acknowledge HTTP/1.1\r\nHost: {site.host}\r\nX-Forwarded-For: 192.0.2.77\r\n"
            "Content-Length: 60000\r\nConnection: close\r\n\r\n".encode()
        )
        assert answer.status == 401

    visit(site, story)


def test_no_path_leads_to_a_file_that_is_not_ours(site: Site) -> None:
    (site.folder / "secret.txt").write_text("planted")
    up = ("..", "%2e%2e", "..%2f..", "%252e%252e", "..\\..", "....//", "%c0%ae%c0%ae", "%00")
    files = (
        "secret.txt", "page.sqlite", "etc/passwd", str(site.database), "swagger-ui-bundle.js.map", "index.html",
        "login.html",
    )  # fmt: skip

    async def story(site: Site) -> None:
        for prefix in ("/assets/", "/api/v1/docs/", "/scope/", "/api/v1/problems/"):
            for step in up:
                for name in files:
                    answer = await site.send(
                        f"GET {prefix}{step}/{name} HTTP/1.1\r\nHost: {site.host}\r\nConnection: close\r\n\r\n".encode()
                    )
                    assert answer.status in {400, 404}
                    assert b"planted" not in answer.body
                    assert b"root:" not in answer.body
                    assert b"SQLite format" not in answer.body

    visit(site, story)


def test_failures_of_strangers_do_not_fill_the_audit_log(site: Site) -> None:
    async def story(site: Site) -> None:
        for _ in range(70):
            await site.ask("GET /api/v1/meters", Authorization="Bearer nonsense")
        assert (await site.ask("POST /api/v1/alarms/1/acknowledge")).status == 202

    visit(site, story)
    actions = [one.action for one in site.audit()]
    assert actions.count("GET /api/v1/meters") == 60
    assert actions[0] == "POST /api/v1/alarms/1/acknowledge"  # what succeeds is always written


def test_old_records_of_the_audit_log_are_removed(site: Site) -> None:
    with AccessBook(site.database) as book:
        book.record(
            record("ancient").__class__(at=datetime(2020, 1, 1, tzinfo=UTC), who="a", origin="b", action="ancient")
        )
        assert [one.action for one in book.audit(10)] == ["ancient"]
        book.record(record("new"))
        assert [one.action for one in book.audit(10)] == ["new"]


def test_the_audit_log_is_read_page_by_page(site: Site) -> None:
    with AccessBook(site.database) as book:
        for number in range(5):
            book.record(record(f"step {number}"))

    async def story(site: Site) -> None:
        first = (await site.ask("GET /api/v1/audit?limit=2")).json
        assert [one["action"] for one in first] == ["step 4", "step 3"]
        rest = (await site.ask(f"GET /api/v1/audit?before={first[-1]['id']}")).json
        assert [one["action"] for one in rest] == ["step 2", "step 1", "step 0"]
        assert (await site.ask("GET /api/v1/audit?limit=0")).status == 422

    visit(site, story)


def test_a_password_in_a_wrong_request_is_not_repeated(site: Site) -> None:
    async def story(site: Site) -> None:
        for body in ({"user": "", "password": PASSWORD}, {"user": {"password": PASSWORD}}, [PASSWORD]):
            answer = await site.ask("POST /api/v1/session", body)
            assert answer.status == 422
            assert PASSWORD.encode() not in answer.body
            assert answer.json["errors"]

    visit(site, story)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ([PASSWORD], 'body: must be a JSON object: {"name": value, …}, sent as application/json'),
        ("text", 'body: must be a JSON object: {"name": value, …}, sent as application/json'),
        ({"user": "anna"}, "body.password: is missing"),
        ({"user": ["anna"], "password": "x"}, "body.user: must be a valid string"),
    ],
)
def test_a_body_of_the_wrong_shape_is_answered_in_plain_words(site: Site, body: object, says: str) -> None:
    async def story(site: Site) -> None:
        answer = await site.ask("POST /api/v1/session", body)
        assert (answer.status, answer.json["detail"]) == (422, says)

    visit(site, story)


def test_a_name_in_the_query_that_is_not_known_is_refused(site: Site) -> None:
    async def story(site: Site) -> None:
        problem = (await site.ask("GET /api/v1/audit?limits=2&x")).json
        assert problem["detail"] == "the query has 'limits', 'x'; known: limit, before"
        assert problem["hint"] == "did you mean limit?"
        assert [one["where"] for one in problem["errors"]] == ["query.limits", "query.x"]
        for path in ("/api/v1/meters?page=2", "/api/v1/events?since=1", "/api/v1/session?next=x"):
            answer = await site.ask(f"GET {path}")
            assert (answer.status, answer.headers["content-type"]) == (422, "application/problem+json")
            assert "nothing is asked for by a query here" in answer.json["detail"]
        for path in ("/?meter=house", "/login?next=%2F", "/assets/page.css?v=2", "/metrics?name=x"):
            assert (await site.ask(f"GET {path}")).status in {200, 404}

    visit(site, story)
