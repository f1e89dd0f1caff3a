"""Threads that append at the same moment share a transaction, and each waits until its own row is kept."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import pytest

from wattrail.errors import StoreError
from wattrail.store.group_commit import MAX_ROWS, GroupCommit


class Database:
    """Keeps rows; a transaction can be held open, and one row is refused."""

    def __init__(self) -> None:
        self.transactions: list[list[int]] = []
        self.began, self.may_end = threading.Semaphore(0), threading.Semaphore(0)
        self.refused: int | None = None
        self.defect: Exception | None = None

    def keep(self, rows: Sequence[int]) -> None:
        self.began.release()
        assert self.may_end.acquire(timeout=10)
        if self.defect is not None:
            raise self.defect
        if self.refused in rows:
            raise StoreError(f"{self.refused} is refused")
        self.transactions.append(list(rows))


def started(work: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def until_waiting(group: GroupCommit[int], count: int) -> None:
    """Return once that many rows wait for a leader."""
    turn = threading.Event()
    while len(group._waiting) < count:
        turn.wait(0.001)


def joined(threads: Sequence[threading.Thread]) -> bool:
    for thread in threads:
        thread.join(10)
    return not any(thread.is_alive() for thread in threads)


def test_whoever_is_alone_waits_for_nobody() -> None:
    database, pauses = Database(), list[float]()
    group = GroupCommit(database.keep, sleep=pauses.append)
    for row in range(3):
        database.may_end.release()
        group.append(row)
    assert database.transactions == [[0], [1], [2]]
    assert pauses == []


def test_what_comes_during_a_transaction_shares_the_next_one() -> None:
    database, pauses = Database(), list[float]()
    group = GroupCommit(database.keep, sleep=pauses.append)
    threads = [started(lambda: group.append(0))]
    assert database.began.acquire(timeout=10)
    threads += [started(lambda row=row: group.append(row)) for row in range(1, 6)]  # type: ignore[misc]
    until_waiting(group, 5)
    assert all(thread.is_alive() for thread in threads), "nobody returns before its row is kept"
    database.may_end.release(2)
    assert joined(threads)
    first, second = database.transactions
    assert first == [0]
    assert sorted(second) == [1, 2, 3, 4, 5]
    database.may_end.release()
    group.append(9)
    assert len(pauses) == 1, "with company the last time, the leader waits a moment for it"


def test_a_row_that_is_refused_costs_its_own_thread_only() -> None:
    database, refused = Database(), list[str]()
    database.refused = 2
    group = GroupCommit(database.keep, sleep=lambda _s: None)

    def append(row: int) -> None:
        try:
            group.append(row)
        except StoreError as error:
            refused.append(f"{row}: {error}")

    threads = [started(lambda: append(0))]
    assert database.began.acquire(timeout=10)
    threads += [started(lambda row=row: append(row)) for row in (1, 2, 3)]  # type: ignore[misc]
    until_waiting(group, 3)
    database.may_end.release(5)
    assert joined(threads)
    assert refused == ["2: 2 is refused"]
    assert sorted(row for rows in database.transactions for row in rows) == [0, 1, 3]


def test_a_defect_of_the_leader_leaves_nobody_waiting() -> None:
    database = Database()
    database.defect = RuntimeError("a defect")
    group = GroupCommit(database.keep, sleep=lambda _s: None)
    database.may_end.release()
    with pytest.raises(RuntimeError, match="a defect"):
        group.append(1)
    database.defect = None
    database.may_end.release()
    group.append(2)
    assert database.transactions == [[2]]


def test_a_defect_reaches_every_thread_whose_row_is_not_kept() -> None:
    database, failed = Database(), list[int]()
    group = GroupCommit(database.keep, sleep=lambda _s: None)

    def append(row: int) -> None:
        try:
            group.append(row)
        except RuntimeError:
            failed.append(row)

    threads = [started(lambda: append(0))]
    assert database.began.acquire(timeout=10)
    threads += [started(lambda row=row: append(row)) for row in (1, 2)]  # type: ignore[misc]
    until_waiting(group, 2)
    database.may_end.release()
    assert database.began.acquire(timeout=10), "the second transaction is under way"
    database.defect = RuntimeError("a defect")
    database.may_end.release()
    assert joined(threads)
    assert (database.transactions, sorted(failed)) == ([[0]], [1, 2])


def test_a_transaction_has_a_largest_size() -> None:
    database = Database()
    group = GroupCommit(database.keep, sleep=lambda _s: None)
    threads = [started(lambda: group.append(-1))]
    assert database.began.acquire(timeout=10)
    threads += [started(lambda row=row: group.append(row)) for row in range(MAX_ROWS + 1)]  # type: ignore[misc]
    until_waiting(group, MAX_ROWS + 1)
    database.may_end.release(3)
    assert joined(threads)
    assert [len(rows) for rows in database.transactions] == [1, MAX_ROWS, 1]
