"""A month is opened once, for those who are customers then, and closed when its check says so."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from reports_pipeline.delivery.errors import DecisionError
from resources.delivery_months import DeliveryMonths
from resources.delivery_register import PostgresDeliveryRegister
from tests.delivery.examples import OCTOBER, SATO, delivery

SEPTEMBER = OCTOBER.plus(-1)


@pytest.fixture
def months(database_url: str) -> DeliveryMonths:
    return DeliveryMonths(database_url)


def test_who_is_expected_is_frozen_when_the_month_is_opened(months: DeliveryMonths) -> None:
    assert months.open(OCTOBER, ["t0002", "t0001"], canaries=["t0002"], opened_by="sato")
    assert not months.open(OCTOBER, ["t0003"], canaries=["t0003"], opened_by="suzuki")
    assert months.expected(OCTOBER) == ["t0001", "t0002"]
    assert months.canaries(OCTOBER) == ["t0002"]
    found = months.find(OCTOBER)
    assert found is not None
    assert (found.month, found.opened_by, found.closed_by, found.closed_at) == (
        OCTOBER,
        "sato",
        None,
        None,
    )


def test_of_a_month_that_was_never_opened_nothing_is_known(months: DeliveryMonths) -> None:
    months.open(SEPTEMBER, ["t0001"], opened_by="sato")
    assert months.find(OCTOBER) is None
    assert months.expected(OCTOBER) == months.canaries(OCTOBER) == []
    with pytest.raises(DecisionError, match="2026-10 was never opened"):
        months.close(OCTOBER, closed_by="sato")
    with pytest.raises(DecisionError, match="2026-10 was never opened"):
        months.reopen(OCTOBER, reopened_by="sato", reason="漏れ")


def test_a_canary_is_one_of_the_expected(months: DeliveryMonths) -> None:
    with pytest.raises(ValueError, match=r"not expected: t0003$"):
        months.open(OCTOBER, ["t0001"], canaries=["t0001", "t0003"], opened_by="sato")
    assert months.find(OCTOBER) is None


def test_of_several_who_open_it_at_once_one_does(months: DeliveryMonths) -> None:
    start = threading.Barrier(6)

    def open_it(number: int) -> bool:
        start.wait()
        return months.open(OCTOBER, [f"t{number}", "t9"], opened_by=f"operator {number}")

    with ThreadPoolExecutor(6) as pool:
        opened = list(pool.map(open_it, range(6)))
    assert opened.count(True) == 1
    assert months.expected(OCTOBER) == [f"t{opened.index(True)}", "t9"]


def test_a_closed_month_is_not_among_the_open_ones_until_it_is_reopened(
    months: DeliveryMonths,
) -> None:
    months.open(OCTOBER, ["t0001"], opened_by="schedule")
    months.open(SEPTEMBER, ["t0001"], opened_by="schedule")
    assert months.open_months() == [SEPTEMBER, OCTOBER]
    months.close(SEPTEMBER, closed_by="sato")
    assert months.open_months() == [OCTOBER]
    closed = months.find(SEPTEMBER)
    assert closed is not None
    assert closed.closed_by == "sato"
    assert closed.closed_at is not None
    months.reopen(SEPTEMBER, reopened_by="suzuki", reason=" 請求書の計上漏れ ")
    assert months.open_months() == [SEPTEMBER, OCTOBER]
    months.close(SEPTEMBER, closed_by="tanaka")
    first, second = months.closings(SEPTEMBER)
    assert (first.closed_by, first.reopened_by, first.reason) == (
        "sato",
        "suzuki",
        "請求書の計上漏れ",
    )
    assert (second.closed_by, second.stands) == ("tanaka", True)


def test_what_does_not_fit_how_the_month_is_is_refused(months: DeliveryMonths) -> None:
    months.open(OCTOBER, ["t0001"], opened_by="schedule")
    with pytest.raises(DecisionError, match="2026-10 is not closed"):
        months.reopen(OCTOBER, reopened_by="sato", reason="漏れ")
    months.close(OCTOBER, closed_by="sato")
    with pytest.raises(DecisionError, match="2026-10 is closed already, by sato"):
        months.close(OCTOBER, closed_by="suzuki")
    with pytest.raises(ValueError, match="without a reason"):
        months.reopen(OCTOBER, reopened_by="sato", reason=" ")


def test_what_the_check_raises_leaves_the_month_open(months: DeliveryMonths) -> None:
    def check(connection: psycopg.Connection) -> None:
        raise RuntimeError("somebody waits")

    months.open(OCTOBER, ["t0001"], opened_by="schedule")
    with pytest.raises(RuntimeError, match="somebody waits"):
        months.close(OCTOBER, closed_by="sato", check=check)
    assert months.open_months() == [OCTOBER]


def test_no_mail_moves_between_the_check_and_the_closing(
    months: DeliveryMonths, register: PostgresDeliveryRegister, revisions_url: str
) -> None:
    months.open(OCTOBER, ["t0001"], opened_by="schedule")
    [message] = register.register(delivery(SATO)).messages
    seen: list[str] = []

    def state(connection: psycopg.Connection) -> str:
        [(found,)] = connection.execute("select state from reporting.delivery_messages").fetchall()
        return str(found)

    with ThreadPoolExecutor(1) as pool:

        def check(connection: psycopg.Connection) -> None:
            seen.append(state(connection))
            moving = pool.submit(register.verify, [message])
            with psycopg.connect(revisions_url, autocommit=True) as other:
                # Until the run has come to the lock, or, were there none, has moved the mail.
                while not (moving.done() or _somebody_waits(other)):
                    pass
                seen.append(state(other))

        months.close(OCTOBER, closed_by="sato", check=check)
    with psycopg.connect(revisions_url) as connection:
        assert [*seen, state(connection)] == ["BUILT", "BUILT", "VERIFIED"]


def test_mails_do_not_wait_long_behind_a_closing_that_waits(
    months: DeliveryMonths, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("resources.delivery_months._LOCK_SECONDS", 0.1)
    months.open(OCTOBER, ["t0001"], opened_by="schedule")
    with psycopg.connect(database_url) as somebody:
        somebody.execute("lock table reporting.delivery_messages in row exclusive mode")
        with pytest.raises(DecisionError, match=r"2026-10 is not closed: .* try again"):
            months.close(OCTOBER, closed_by="sato")
    months.close(OCTOBER, closed_by="sato")
    assert months.open_months() == []


def test_of_two_who_close_it_at_once_one_does(months: DeliveryMonths) -> None:
    months.open(OCTOBER, ["t0001"], opened_by="schedule")
    both_checked = threading.Barrier(2)

    def check(connection: psycopg.Connection) -> None:
        both_checked.wait()

    def close(name: str) -> str | None:
        try:
            months.close(OCTOBER, closed_by=name, check=check)
        except DecisionError as error:
            return str(error)
        return None

    with ThreadPoolExecutor(2) as pool:
        said = list(pool.map(close, ["sato", "suzuki"]))
    assert sorted(said, key=str) == ["2026-10 was closed by somebody else meanwhile", None]
    assert len(months.closings(OCTOBER)) == 1


def _somebody_waits(connection: psycopg.Connection) -> bool:
    found = connection.execute(
        "select from pg_locks where not granted and database ="
        " (select oid from pg_database where datname = current_database())"
    )
    return found.fetchone() is not None
