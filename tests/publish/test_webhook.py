"""Webhooks to a server of werkzeug, their signatures checked by the verifier of Standard Webhooks."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from standardwebhooks import Webhook
from standardwebhooks.webhooks import WebhookVerificationError
from werkzeug import Request, Response

from tests.publish.broker import server_tls
from tests.publish.message_rig import DEADLINE_S, alarm, delivering, plan, publishing, raise_alarms
from tests.publish.rig import Site
from wattrail.clock import ManualClock
from wattrail.publish import PublisherStatus
from wattrail.publish.delivery import Delivery
from wattrail.publish.template import PRESETS, BodyTemplate
from wattrail.publish.webhook import WebhookSender
from wattrail.store.messages import StoredMessages

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.setenv("WATTRAIL_SECRETS", str(tmp_path / "secrets.toml"))
    monkeypatch.setenv("WATTRAIL_LOGIN_TOKEN", "planted-token")
    monkeypatch.setenv("WATTRAIL_LOGIN_BROKEN", "planted\r\ntoken")
    monkeypatch.setenv("WATTRAIL_LOGIN_PAIR", "owner:planted-password")
    monkeypatch.setenv("WATTRAIL_LOGIN_SIGN", SECRET)
    monkeypatch.setenv("WATTRAIL_LOGIN_SHORT", "whsec_c2hvcnQ=")
    return Site(tmp_path)


def hook(httpserver: HTTPServer, **options: Any) -> WebhookSender:
    return WebhookSender(url=httpserver.url_for("/hooks/planted-path"), timeout_s=2.0, **options)


def answer_with(httpserver: HTTPServer, *answers: Response) -> None:
    """Each answer once, in order; then 204 for ever."""
    left = list(answers)
    httpserver.expect_request("/hooks/planted-path", method="POST").respond_with_handler(
        lambda _: left.pop(0) if left else Response(status=204)
    )


def requests(httpserver: HTTPServer) -> list[Request]:
    return [request for request, _ in httpserver.log]


def bodies(httpserver: HTTPServer) -> list[dict[str, Any]]:
    return [json.loads(request.data) for request in requests(httpserver)]


@contextmanager
def stepping(
    site: Site, httpserver: HTTPServer, *answers: Response, **options: Any
) -> Iterator[tuple[Delivery, ManualClock]]:
    answer_with(httpserver, *answers)
    to = plan(hook(httpserver, **options))
    assert isinstance(to.clock, ManualClock)
    with delivering(site, to) as delivery:
        yield delivery, to.clock


def test_an_alarm_arrives_as_json_with_an_id_and_a_time(site: Site, httpserver: HTTPServer) -> None:
    with stepping(site, httpserver) as (delivery, _):
        raise_alarms(site, alarm())
        delivery.step()
    (request,), (body,) = requests(httpserver), bodies(httpserver)
    assert request.headers["Content-Type"] == "application/json"
    assert body["id"] == request.headers["webhook-id"]
    assert (body["type"], body["timestamp"]) == ("alarm.raised", "2026-11-22T05:30:00.000Z")
    assert body["data"]["value"] == 256.5
    assert body["data"]["meter"] == "house"
    assert body["simulated"] is False
    assert "webhook-signature" not in request.headers
    assert "Authorization" not in request.headers
    assert site.state("webhook.test").status is PublisherStatus.LIVE


def test_the_signature_is_that_of_standard_webhooks(site: Site, httpserver: HTTPServer) -> None:
    with stepping(site, httpserver, secret="sign") as (delivery, _):
        raise_alarms(site, alarm("garage: 3 × 16 A"))
        delivery.step()
    (request,) = requests(httpserver)
    headers = dict(request.headers)
    assert Webhook(SECRET).verify(request.data, headers)["data"]["text"] == "garage: 3 × 16 A"
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(request.data.replace(b"16", b"61"), headers)


@pytest.mark.parametrize(
    ("login", "header"),
    [("token", "Bearer planted-token"), ("pair", "Basic b3duZXI6cGxhbnRlZC1wYXNzd29yZA==")],
)
def test_a_login_is_a_bearer_token_or_a_user_and_password(
    site: Site, httpserver: HTTPServer, login: str, header: str
) -> None:
    with stepping(site, httpserver, login=login) as (delivery, _):
        raise_alarms(site, alarm())
        delivery.step()
    assert requests(httpserver)[0].headers["Authorization"] == header


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"login": "none"}, "no login 'none' is stored"),
        ({"secret": "none"}, "no login 'none' is stored"),
        ({"login": "broken"}, "the token has characters that no HTTP header carries"),
        ({"secret": "short"}, "the secret 'short' is not whsec_ and 24 to 64 bytes in base64"),
    ],
)
def test_a_login_that_cannot_be_used_sends_nothing_and_loses_nothing(
    site: Site, httpserver: HTTPServer, options: dict[str, str], complaint: str
) -> None:
    with stepping(site, httpserver, **options) as (delivery, _):
        raise_alarms(site, alarm())
        delivery.step()
    state = site.state("webhook.test")
    assert (state.status, state.waiting) == (PublisherStatus.REFUSED, 1)
    assert complaint in str(state.error)
    assert "planted" not in str(state)
    assert requests(httpserver) == []


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503])
def test_a_server_in_trouble_gets_the_same_message_again(site: Site, httpserver: HTTPServer, status: int) -> None:
    with stepping(site, httpserver, Response("busy", status=status)) as (delivery, clock):
        raise_alarms(site, alarm())
        delivery.step()
        state = site.state("webhook.test")
        assert (state.status, state.waiting) == (PublisherStatus.AWAY, 1)
        clock.advance(1)
        delivery.step()
    first, second = bodies(httpserver)
    assert first["id"] == second["id"]
    assert site.state("webhook.test").waiting == 0


def test_delays_double_until_the_longest(site: Site, httpserver: HTTPServer) -> None:
    with stepping(site, httpserver, *(Response(status=500) for _ in range(6))) as (delivery, clock):
        raise_alarms(site, alarm())
        for wait_s in (0.0, 0.021, 0.041, 0.081, 0.101, 0.101):
            clock.advance(wait_s / 2)
            delivery.step()
            clock.advance(wait_s / 2)
            delivery.step()
    assert len(requests(httpserver)) == 6


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_retry_after_is_kept(site: Site, httpserver: HTTPServer, form: str) -> None:
    to = plan(hook(httpserver))
    assert isinstance(to.clock, ManualClock)
    until = to.clock.now().replace(microsecond=0) + timedelta(seconds=120)
    answer = Response(status=503, headers={"Retry-After": "120" if form == "seconds" else format_datetime(until)})
    answer_with(httpserver, answer)
    with delivering(site, to) as delivery:
        raise_alarms(site, alarm())
        delivery.step()
        to.clock.advance(118)
        delivery.step()
        assert len(requests(httpserver)) == 1
        to.clock.advance(3)
        delivery.step()
    assert len(requests(httpserver)) == 2


@pytest.mark.parametrize("asked", ["99999999999999", "Fri, 01 Jan 2100 00:00:00 GMT", "soon", "-5", ""])
def test_a_retry_after_that_makes_no_sense_costs_an_hour_at_most(
    site: Site, httpserver: HTTPServer, asked: str
) -> None:
    with stepping(site, httpserver, Response(status=429, headers={"Retry-After": asked})) as (delivery, clock):
        raise_alarms(site, alarm())
        delivery.step()
        clock.advance(3601)
        delivery.step()
    assert len(requests(httpserver)) == 2


def test_a_refused_message_is_kept_and_the_next_one_goes(site: Site, httpserver: HTTPServer) -> None:
    with stepping(site, httpserver, Response("no such field", status=422)) as (delivery, _):
        raise_alarms(site, alarm("the first"), alarm("the second"))
        delivery.step()
    assert [body["data"]["text"] for body in bodies(httpserver)] == ["the first", "the second"]
    with StoredMessages(site.database) as stored:
        (kept,) = stored.refused("webhook.test")
    assert (kept.subject, kept.message_id) == ("alarm raised: the first", bodies(httpserver)[0]["id"])
    state = site.state("webhook.test")
    assert state.status is PublisherStatus.LIVE
    assert list(state.held.values()) == [kept.reason] == [f"{hook(httpserver).target} answers 422: no such field"]


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_a_wrong_login_or_address_keeps_everything_waiting(site: Site, httpserver: HTTPServer, status: int) -> None:
    with stepping(site, httpserver, Response(status=status)) as (delivery, clock):
        raise_alarms(site, alarm(), alarm())
        delivery.step()
        state = site.state("webhook.test")
        assert (state.status, state.waiting) == (PublisherStatus.REFUSED, 2)
        assert "check url and login" in str(state.hint)
        clock.advance(1)  # a person corrects it
        delivery.step()
    assert site.state("webhook.test").status is PublisherStatus.LIVE
    assert len(requests(httpserver)) == 3


def test_a_redirect_is_not_followed_and_says_where_it_leads(site: Site, httpserver: HTTPServer) -> None:
    moved = Response(status=307, headers={"Location": "http://elsewhere.example/planted-other"})
    with stepping(site, httpserver, moved, login="token") as (delivery, _):
        raise_alarms(site, alarm())
        delivery.step()
    state = site.state("webhook.test")
    assert state.status is PublisherStatus.REFUSED
    assert str(state.error).endswith("answers 307, a redirect to http://elsewhere.example/")
    assert len(requests(httpserver)) == 1


def test_no_secret_shows_even_if_the_server_repeats_it(
    site: Site, httpserver: HTTPServer, caplog: pytest.LogCaptureFixture
) -> None:
    def repeat(request: Request) -> Response:
        return Response(f"cannot POST {request.path} with {request.headers['Authorization']}", status=400)

    httpserver.expect_request("/hooks/planted-path").respond_with_handler(repeat)
    with delivering(site, plan(hook(httpserver, login="token"))) as delivery:
        raise_alarms(site, alarm())
        delivery.step()
    state = site.state("webhook.test")
    logged = [record.getMessage() for record in caplog.records if record.name.startswith("wattrail")]
    shown = f"{state} {logged} {hook(httpserver).target}"
    assert logged
    assert "cannot POST" in shown
    assert "planted" not in shown


def test_an_endless_answer_is_not_read(site: Site, httpserver: HTTPServer) -> None:
    with stepping(site, httpserver, Response(b"x" * 5_000_000, status=400)) as (delivery, _):
        raise_alarms(site, alarm())
        delivery.step()
    assert all(len(reason) < 300 for reason in site.state("webhook.test").held.values())


def test_after_a_day_away_everything_comes_in_order_and_once(site: Site, httpserver: HTTPServer) -> None:
    away = WebhookSender(url="http://127.0.0.1:9/", timeout_s=0.5)
    with delivering(site, plan(away)) as delivery:
        raise_alarms(site, *(alarm(f"number {number}") for number in range(50)))
        delivery.step()
        assert site.state("webhook.test").status is PublisherStatus.AWAY
        assert site.state("webhook.test").waiting == 50
    answer_with(httpserver)
    for _ in range(2):  # the gateway is started again, twice
        with delivering(site, plan(hook(httpserver))) as delivery:
            delivery.step()
    texts = [body["data"]["text"] for body in bodies(httpserver)]
    assert texts == [f"number {number}" for number in range(50)]


def test_a_new_consumer_is_not_sent_the_past(site: Site, httpserver: HTTPServer) -> None:
    raise_alarms(site, alarm("long ago"))
    with stepping(site, httpserver) as (delivery, _):
        raise_alarms(site, alarm("now"))
        delivery.step()
    assert [body["data"]["text"] for body in bodies(httpserver)] == ["now"]


def test_an_event_of_quiet_hours_comes_once_when_they_have_ended(site: Site, httpserver: HTTPServer) -> None:
    with stepping(site, httpserver) as (delivery, clock):
        morning = clock.now() + timedelta(hours=7)
        raise_alarms(site, alarm("before"), alarm("in the night", deliver_at=morning), alarm("critical"))
        delivery.step()
        assert [body["data"]["text"] for body in bodies(httpserver)] == ["before", "critical"]
        assert site.state("webhook.test").waiting == 0
        clock.advance(7 * 3600 + 1)
        raise_alarms(site, alarm("in the morning"))
        delivery.step()
        delivery.step()
    with delivering(site, plan(hook(httpserver), clock=clock)) as delivery:
        delivery.step()
    texts = [body["data"]["text"] for body in bodies(httpserver)]
    assert texts == ["before", "critical", "in the night", "in the morning"]


def test_quiet_hours_and_an_outage_together_lose_and_double_nothing(site: Site, httpserver: HTTPServer) -> None:
    trouble = [Response(status=204), Response(status=500), Response(status=204), Response(status=500)]
    with stepping(site, httpserver, *trouble) as (delivery, clock):
        night = [clock.now() + timedelta(hours=hours) for hours in (1, 2)]
        raise_alarms(site, alarm("1", deliver_at=night[0]), alarm("2"), alarm("3", deliver_at=night[1]), alarm("4"))
        for _ in range(12):
            delivery.step()
            clock.advance(1800)
    sent = [request.headers["webhook-id"] for request, answer in httpserver.log if answer.status_code == 204]
    assert sorted(one.rpartition("-")[2] for one in sent) == ["1", "2", "3", "4"]


def test_what_is_simulated_says_so(site: Site, httpserver: HTTPServer) -> None:
    with stepping(site, httpserver) as (delivery, _):
        raise_alarms(site, alarm(simulated=True))
        delivery.step()
    (body,) = bodies(httpserver)
    assert body["simulated"] is True
    assert body["subject"].startswith("[simulated] alarm raised: ")
    assert body["text"].startswith("[simulated] ")


@pytest.mark.parametrize(
    ("preset", "expected"),
    [
        ("gotify", {"title", "message", "priority"}),
        ("slack", {"text"}),
        ("discord", {"content", "allowed_mentions"}),
    ],
)
def test_a_preset_has_the_fields_of_its_service(
    site: Site, httpserver: HTTPServer, preset: str, expected: set[str]
) -> None:
    with stepping(site, httpserver, body=PRESETS[preset]) as (delivery, _):
        raise_alarms(site, alarm('a "quoted" \\ text\nof two lines' + 3000 * "x"))
        delivery.step()
    (body,) = bodies(httpserver)
    assert set(body) == expected
    if preset == "discord":
        assert len(body["content"]) == 2000


def test_ntfy_gets_plain_text(site: Site, httpserver: HTTPServer) -> None:
    with stepping(site, httpserver, body=PRESETS["ntfy"]) as (delivery, _):
        raise_alarms(site, alarm("house: 3 × 16 A"))
        delivery.step()
    (request,) = requests(httpserver)
    assert request.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert request.data.decode().startswith("alarm raised: house: 3 × 16 A\nwarning, rule over-voltage, 2026-11-22")


def test_a_template_fills_in_its_fields(site: Site, httpserver: HTTPServer) -> None:
    made = BodyTemplate(template='{"what": $type, "who": $meter, "price": "$$1", "test": $simulated}')
    with stepping(site, httpserver, body=made) as (delivery, _):
        raise_alarms(site, alarm())
        delivery.step()
    assert bodies(httpserver) == [{"what": "alarm.raised", "who": "house", "price": "$1", "test": False}]


@pytest.mark.parametrize("is_trusted", [True, False])
def test_a_certificate_of_an_own_authority_needs_ca_file(site: Site, tmp_path: Path, is_trusted: bool) -> None:
    with HTTPServer(host="127.0.0.1", ssl_context=server_tls(tmp_path)) as server:
        answer_with(server)
        with delivering(site, plan(hook(server, ca_file=tmp_path / "ca.pem" if is_trusted else None))) as delivery:
            raise_alarms(site, alarm())
            delivery.step()
    state = site.state("webhook.test")
    assert state.status is (PublisherStatus.LIVE if is_trusted else PublisherStatus.REFUSED)
    assert is_trusted or "its certificate is not trusted" in str(state.error)


def test_a_ca_file_that_is_gone_is_named_and_everything_waits(site: Site, tmp_path: Path) -> None:
    sender = WebhookSender(url="https://127.0.0.1:9/", ca_file=tmp_path / "gone.pem")
    with delivering(site, plan(sender)) as delivery:
        raise_alarms(site, alarm())
        delivery.step()
    state = site.state("webhook.test")
    assert (state.status, state.waiting) == (PublisherStatus.REFUSED, 1)
    assert "gone.pem cannot be used as ca_file" in str(state.error)


def test_the_publisher_runs_in_a_thread_and_ends_with_the_events(site: Site, httpserver: HTTPServer) -> None:
    answer_with(httpserver)
    to = plan(hook(httpserver))
    with delivering(site, to):
        pass  # the consumer is known from here on
    raise_alarms(site, alarm())
    until = time.monotonic() + DEADLINE_S
    with publishing(site, to):
        while not requests(httpserver):
            site.show()  # readings pass by
            assert time.monotonic() < until
            threading.Event().wait(0.005)
    assert bodies(httpserver)[0]["type"] == "alarm.raised"
