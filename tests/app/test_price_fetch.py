"""Market prices by a URL, from a real server on this machine: added to the file, kept when the server is away."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from wattrail.app.plan import load_tariffs
from wattrail.app.price_fetch import PriceFetcher, fetch_prices
from wattrail.clock import ManualClock
from wattrail.errors import AccessDenied, ConfigError, PortOpenError
from wattrail.gateway import Feed
from wattrail.ledger import Tariff
from wattrail.store.price_file import read_prices

ANSWERS = Path(__file__).parents[1] / "store" / "prices"
NOW = datetime(2024, 6, 15, 6, 30, tzinfo=UTC)


@dataclass
class Service:
    """A price service: what it answers, and what it was asked."""

    body: bytes = b""
    status: int = 200
    asked: list[str] = field(default_factory=list)
    was_asked: threading.Event = field(default_factory=threading.Event)
    url: str = ""


@contextmanager
def serving(service: Service) -> Iterator[Service]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            service.asked.append(self.path)
            self.send_response(service.status)
            self.end_headers()
            self.wfile.write(service.body)
            service.was_asked.set()

        def log_message(self, *_arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        service.url = f"http://127.0.0.1:{server.server_port}/v1/marketdata?start=0&key=secret"
        yield service
        server.shutdown()
        thread.join()


def tariff_at(folder: Path, url: str) -> Tariff:
    file = folder / "dynamic.toml"
    file.write_text(
        f'name = "Dynamic"\ncurrency = "EUR"\n[market]\nprices = "spot.csv"\nurl = "{url}"\n'
        "[[price]]\nfrom = 2024-01-01\nrates = 0.18\n"
    )
    (tariff,) = load_tariffs([str(file)])
    return tariff


def test_prices_are_fetched_and_stand_beside_the_tariff(tmp_path: Path) -> None:
    with serving(Service((ANSWERS / "awattar.json").read_bytes())) as service:
        fetcher = PriceFetcher([tariff_at(tmp_path, service.url)], ManualClock(NOW))
        assert fetcher.fetch_all()
    assert service.asked == ["/v1/marketdata?start=0&key=secret"]
    prices = read_prices(tmp_path / "spot.csv")
    assert len(prices) == 13
    (state,) = fetcher.states()
    assert (state.fetched_at, state.known_until, state.error) == (NOW, prices[-1].end, None)
    assert "secret" not in repr(fetcher.states())


def test_a_service_that_is_away_costs_no_price_that_is_known(tmp_path: Path) -> None:
    with serving(Service((ANSWERS / "awattar.json").read_bytes())) as service:
        fetcher = PriceFetcher([tariff_at(tmp_path, service.url)], ManualClock(NOW))
        assert fetcher.fetch_all()
    before = (tmp_path / "spot.csv").read_bytes()
    assert not fetcher.fetch_all()  # nobody listens there any more
    (state,) = fetcher.states()
    assert "connection refused" in str(state.error)
    assert state.fetched_at == NOW
    assert (tmp_path / "spot.csv").read_bytes() == before


@pytest.mark.parametrize(
    ("body", "status", "complaint"),
    [
        (b"no such tariff", 404, "answers 404"),
        (b"<html>maintenance</html>", 200, "must name the columns"),
        (b'{"data": []', 200, "expecting"),
    ],
)
def test_an_answer_without_prices_changes_nothing(tmp_path: Path, body: bytes, status: int, complaint: str) -> None:
    with serving(Service(body, status)) as service:
        fetcher = PriceFetcher([tariff_at(tmp_path, service.url)], ManualClock(NOW))
        assert not fetcher.fetch_all()
    assert complaint in str(fetcher.states()[0].error)
    assert not (tmp_path / "spot.csv").exists()


def test_no_more_is_read_than_prices_can_have(tmp_path: Path) -> None:
    with serving(Service(b" " * ((4 << 20) + 1))) as service, pytest.raises(AccessDenied, match="more than"):
        fetch_prices(service.url)


def test_a_redirect_is_not_followed(tmp_path: Path) -> None:
    with serving(Service(b"", 302)) as service, pytest.raises(AccessDenied, match="answers 302"):
        fetch_prices(service.url)


def test_a_service_that_never_answers_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(PortOpenError, match="no answer"):
        fetch_prices(f"http://127.0.0.1:{silent.getsockname()[1]}/", timeout_s=0.2)


def test_it_fetches_by_itself_and_ends_with_the_events(tmp_path: Path) -> None:
    with serving(Service((ANSWERS / "awattar.json").read_bytes())) as service:
        fetcher, feed = PriceFetcher([tariff_at(tmp_path, service.url)]), Feed()
        working = threading.Thread(target=fetcher, args=(feed.subscribe("prices"),), daemon=True)
        working.start()
        assert service.was_asked.wait(60)
        feed.end()
        working.join(60)
        assert not working.is_alive()
    assert len(service.asked) == 1


def test_a_price_list_that_cannot_be_read_is_said_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "spot.csv").write_text("when,how much\n")
    with pytest.raises(ConfigError, match=r"spot\.csv: the first line must name"):
        tariff_at(tmp_path, "https://example.org/")
