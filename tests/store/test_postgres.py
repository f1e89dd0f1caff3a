"""What is PostgreSQL's own: a server that restarts, an answer that gets lost, one place for one gateway."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from tests.databases import execute, raw_connection
from tests.postgres_server import PostgresServer
from tests.store.rig import START, live_through, look, never_stopped, register
from wattrail.database_address import PostgresAddress
from wattrail.errors import StoreError, StoreUnavailable
from wattrail.store import GatewayLock, Store, open_store, open_to_read, postgres_connection, postgres_session
from wattrail.store.alarm_events import AlarmEvents
from wattrail.store.outbox import Outbox
from wattrail.store.postgres_dialect import translated


@pytest.fixture
def place(postgres_server: PostgresServer) -> PostgresAddress:
    return postgres_server.address()


def seconds_in(address: PostgresAddress) -> list[int]:
    """The seconds of the household whose readings are stored, in their order."""
    rows = execute(address, "SELECT at FROM reading ORDER BY id")
    return [round((at / 1e6) - START.timestamp()) for (at,) in rows]


def keep(store: Store, second: int, ledger: Any) -> None:
    reading, seen = look(second)
    store.append(1, reading, seen, ledger.observe(seen))


def test_a_household_has_the_same_rows_and_hashes_in_both(place: PostgresAddress, tmp_path: Any) -> None:
    tables: list[list[Any]] = []
    for address in (tmp_path / "w.sqlite", place):
        with open_store(address) as store:
            meter_id = register(store)
            store.book(meter_id, live_through(store, meter_id, range(200)).close())
        tables.append(
            [
                execute(address, f"SELECT {columns} FROM {table} ORDER BY {order}")
                for table, columns, order in (
                    ("chain", "meter_id, book, length, hash", "book"),
                    ("reading", "id, at, energy_count, restarted, millivolts, microamps, boot", "id"),
                    ("entry", "sequence, kind, started_at, ended_at, count, positive, algebraic, hash", "sequence"),
                )
            ]
        )
    assert tables[0] == tables[1]
    assert len(tables[0][1]) == 200


def test_a_server_that_restarts_between_readings_costs_none(
    postgres_server: PostgresServer, place: PostgresAddress
) -> None:
    with GatewayLock(place) as lock, open_store(place, lock=lock) as store:
        live_through(store, register(store), range(70))
        postgres_server.stop()
        postgres_server.start()
        live_through(store, 1, range(70, 150))
        assert list(store.entries(1)) == never_stopped(range(150), epoch_of=store)[0]
    assert seconds_in(place) == list(range(150))


def test_a_server_that_crashes_costs_some_readings_and_no_energy(
    postgres_server: PostgresServer, place: PostgresAddress
) -> None:
    with GatewayLock(place) as lock, open_store(place, lock=lock) as store:
        ledger = live_through(store, register(store), range(70))  # with an entry at second 59
        postgres_server.kill()
        postgres_server.start()
        for second in range(70, 150):
            keep(store, second, ledger)
        assert list(store.entries(1)) == never_stopped(range(150), epoch_of=store)[0]
    assert set(range(150)) - set(seconds_in(place)) <= set(range(60, 70))


def test_a_connection_cut_inside_a_transaction_stores_it_once(place: PostgresAddress) -> None:
    with open_store(place) as store:
        ledger = live_through(store, register(store), range(70))
        reading, seen = look(70)
        cuts = iter([True, False])

        def keep_and_cut(cursor: Any) -> None:
            cursor.execute("DELETE FROM reading WHERE id = 1")
            if next(cuts):
                cut_writers(place)
                cursor.execute("SELECT 1")

        store._writer.write(keep_and_cut, durable=True)
        store.append(1, reading, seen, ledger.observe(seen))
    assert seconds_in(place) == list(range(1, 71))


def test_a_reading_that_is_stored_at_the_second_attempt_is_rolled_up_once(
    place: PostgresAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_store(place) as store:
        ledger = live_through(store, register(store), range(120))
        lose_an_answer(monkeypatch, arrives=False)
        for second in range(120, 260):  # the first of them begins a minute
            keep(store, second, ledger)
        assert sum(point.readings for point in store.series(1, START, START + timedelta(days=1), points=4)) == 260


def cut_writers(address: PostgresAddress) -> None:
    """End every other session of this program, as an administrator can."""
    sql = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = 'wattrail'"
    execute(address, sql)


@pytest.mark.parametrize("arrives", [True, False])
def test_a_commit_without_an_answer_is_looked_up_before_it_is_repeated(
    place: PostgresAddress, monkeypatch: pytest.MonkeyPatch, arrives: bool
) -> None:
    with open_store(place) as store:
        ledger = live_through(store, register(store), range(119))
        losses = lose_an_answer(monkeypatch, arrives=arrives)
        for second in range(119, 130):  # with the entry of a minute at its first
            keep(store, second, ledger)
        assert losses == ["COMMIT"]
        assert list(store.entries(1)) == never_stopped(range(130), epoch_of=store)[0]
    assert seconds_in(place) == list(range(130))
    with open_to_read(place) as reader:
        assert reader.broken_links(1) == ()


def test_a_commit_that_is_settled_too_late_is_never_repeated(
    postgres_server: PostgresServer, place: PostgresAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_store(place) as store:
        ledger = live_through(store, register(store), range(70))
        lose_an_answer(monkeypatch, arrives=True, then=postgres_server.stop)
        reading, seen = look(70)
        row = (1, reading, seen, ledger.observe(seen))
        with pytest.raises(StoreUnavailable):
            store.append_all([row], wait_s=0.0)
        postgres_server.start()
        with pytest.raises(StoreError, match="is stored, as is seen only now"):
            store.append_all([row])
        live_through(store, 1, range(71, 130))  # the ledger as it is stored
        assert list(store.entries(1)) == never_stopped(range(130), epoch_of=store)[0]
    assert seconds_in(place) == list(range(130))


def lose_an_answer(
    monkeypatch: pytest.MonkeyPatch, *, arrives: bool, then: Callable[[], None] = lambda: None
) -> list[str]:
    """Cut the connection during the next COMMIT, after the server got it or before."""
    genuine: Callable[..., Any] = psycopg.Connection.execute
    lost: list[str] = []

    def execute_and_lose(self: Any, query: Any, *rest: Any, **named: Any) -> Any:
        if query != "COMMIT" or lost:
            return genuine(self, query, *rest, **named)
        lost.append(query)
        if arrives:
            genuine(self, query)
        self.close()
        then()
        return genuine(self, query)

    monkeypatch.setattr(psycopg.Connection, "execute", execute_and_lose)
    return lost


def test_a_server_that_stays_away_is_said_and_found_again(
    postgres_server: PostgresServer, place: PostgresAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_session, "RECONNECT_WITHIN_S", 0.2)
    with open_store(place) as store, Outbox(place, "mqtt") as outbox, AlarmEvents(place) as alarms:
        ledger = live_through(store, register(store), range(30))
        postgres_server.stop()
        try:
            for question in (lambda: keep(store, 30, ledger), lambda: store.latest(1), outbox.count, alarms.standing):
                with pytest.raises(StoreUnavailable, match="the server cannot be reached") as caught:
                    question()
                assert "start the server" in str(caught.value.hint)
        finally:
            postgres_server.start()
        live_through(store, 1, range(30, 60))  # the ledger as it is stored
        assert outbox.count() == len(alarms.standing()) == 0
    assert seconds_in(place) == list(range(60))


def test_a_gateway_whose_connection_is_lost_takes_its_place_again(place: PostgresAddress) -> None:
    with GatewayLock(place) as lock, open_store(place, lock=lock) as store:
        lock.set_address("http://127.0.0.1:8042/")
        live_through(store, register(store), range(10))
        cut_writers(place)
        live_through(store, 1, range(10, 20))
        with pytest.raises(StoreError, match=r"another gateway uses .*page http://127.0.0.1:8042/"), GatewayLock(place):
            pass
    assert seconds_in(place) == list(range(20))


def test_a_gateway_that_lost_its_place_to_another_writes_no_more(place: PostgresAddress) -> None:
    with GatewayLock(place) as lock, open_store(place, lock=lock) as store:
        ledger = live_through(store, register(store), range(10))
        cut_writers(place)
        with GatewayLock(place):
            with pytest.raises(StoreError, match=r"another gateway uses .* now: process"):
                keep(store, 10, ledger)
            assert seconds_in(place) == list(range(10))
        live_through(store, 1, range(10, 12))


def test_the_ghost_of_a_lost_connection_is_ended(place: PostgresAddress) -> None:
    with GatewayLock(place) as lock, open_store(place, lock=lock) as store:
        live_through(store, register(store), range(10))
        session: Any = store._writer
        ghost = session._connection
        session._connection = raw_connection(replace(place, schema="public"))
        session._connection.close()  # as a network does: the server still has the former one
        live_through(store, 1, range(10, 20))
        with pytest.raises(psycopg.OperationalError):
            ghost.execute("SELECT 1")
        ghost.close()


def test_writers_wait_for_each_other_so_that_ids_appear_in_their_order(
    place: PostgresAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(postgres_connection._SETTINGS, "lock_timeout", "100ms")
    open_store(place).close()
    with AlarmEvents(place) as first, open_store(place) as second:
        with first._transaction(), pytest.raises(StoreError, match="lock timeout"), second._transaction():
            pass
        with second._transaction():
            pass


def test_what_a_restore_left_open_is_found(place: PostgresAddress) -> None:
    open_store(place).close()
    execute(place, "ALTER TABLE entry DISABLE TRIGGER entry_is_never_edited")
    with open_to_read(place) as reader:
        (finding,) = reader.file_problems()
    assert "the guard entry_is_never_edited is disabled" in str(finding)


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("SELECT at / :width FROM reading WHERE id = :id", "SELECT at / %(width)s FROM reading WHERE id = %(id)s"),
        ("SELECT 'a?b%' WHERE x LIKE ? AND y = '::z'", "SELECT 'a?b%%' WHERE x LIKE %s AND y = '::z'"),
        ("SELECT id FROM reading INDEXED BY reading_by_time", "SELECT id FROM reading "),
        ("other.meter IS alarm_event.meter", "other.meter IS NOT DISTINCT FROM alarm_event.meter"),
        ("SELECT MAX(id), MAX(a.x, b.x)", "SELECT MAX(id), GREATEST(a.x, b.x)"),
        ("WHERE x IS NOT NULL", "WHERE x IS NOT NULL"),
    ],
)  # fmt: skip
def test_a_statement_of_the_store_becomes_one_of_psycopg(written: str, sent: str) -> None:
    assert translated(written).decode() == sent
