"""What is left to prevent a double if processes did not take turns: constraints of the database, of
which each alone does, and without which a mail does go out twice."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Collection
from types import ModuleType
from typing import Any

import psycopg
import pytest

from reports_pipeline.delivery.messages import MailSettings
from resources import delivery_decisions, delivery_records, delivery_register
from resources.delivery_decisions import DeliveryDecisions
from resources.delivery_register import PostgresDeliveryRegister
from resources.dispatch import deliver
from tests.delivery.examples import OCTOBER, SATO, delivery, stored_documents
from tests.resources.test_dispatch import ScriptedMailer

OF_A_DELIVERY = ("deliveries_pkey", "deliveries_delivery_id_key")
OF_A_MESSAGE = ("delivery_messages_pkey", "delivery_messages_address", "delivery_moves_pkey")
OF_A_RESEND = (
    "delivery_messages_pkey",
    "delivery_messages_delivery_id_resend_of_key",
    "delivery_moves_pkey",
)


@pytest.fixture
def url(database_url: str) -> str:
    """A database in which t0001 has a revision of October 2026."""
    with psycopg.connect(database_url) as connection:
        connection.execute(
            """
            insert into reporting.report_revisions
                (tenant_id, month, revision, numbers_hash, closed, statements_key, run_id)
            values ('t0001', '2026-10-01', 1, repeat('a', 64), false, 'a.arrow', 'run')
            """
        )
    return database_url


@pytest.mark.parametrize("kept", OF_A_DELIVERY)
def test_each_constraint_alone_keeps_a_delivery_single(
    url: str, monkeypatch: pytest.MonkeyPatch, kept: str
) -> None:
    drop_constraints(url, {*OF_A_DELIVERY, *OF_A_MESSAGE} - {kept})
    mailer = ScriptedMailer()
    in_between(monkeypatch, delivery_register, lambda: send(url, mailer))
    with pytest.raises(psycopg.errors.UniqueViolation, match=kept):
        send(url, mailer)
    assert mailer.posts == [SATO.email]


@pytest.mark.parametrize("kept", OF_A_MESSAGE)
def test_each_constraint_alone_keeps_a_mail_single(
    url: str, monkeypatch: pytest.MonkeyPatch, kept: str
) -> None:
    mailer = ScriptedMailer()
    register_for_nobody(url)
    drop_constraints(url, {*OF_A_MESSAGE} - {kept})
    in_between(monkeypatch, delivery_register, lambda: send(url, mailer))
    with pytest.raises(psycopg.errors.UniqueViolation, match=kept):
        send(url, mailer)
    assert mailer.posts == [SATO.email]


def test_without_constraints_a_mail_goes_out_twice(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    mailer = ScriptedMailer()
    register_for_nobody(url)
    drop_constraints(url, OF_A_MESSAGE)
    in_between(monkeypatch, delivery_register, lambda: send(url, mailer))
    send(url, mailer)
    assert mailer.posts == [SATO.email] * 2


@pytest.mark.parametrize("kept", OF_A_RESEND)
def test_each_constraint_alone_keeps_a_resend_single(
    url: str, monkeypatch: pytest.MonkeyPatch, kept: str
) -> None:
    mailer = ScriptedMailer()
    send(url, mailer)
    drop_constraints(url, {*OF_A_RESEND} - {kept})
    in_between(monkeypatch, delivery_decisions, lambda: resend(url, mailer))
    with pytest.raises(psycopg.errors.UniqueViolation, match=kept):
        resend(url, mailer)
    assert mailer.posts == [SATO.email] * 2


def test_without_constraints_a_mail_is_sent_once_more_twice(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    mailer = ScriptedMailer()
    send(url, mailer)
    drop_constraints(url, OF_A_RESEND)
    in_between(monkeypatch, delivery_decisions, lambda: resend(url, mailer))
    resend(url, mailer)
    assert mailer.posts == [SATO.email] * 3


def register_for_nobody(url: str) -> None:
    """The contacts come later."""
    with PostgresDeliveryRegister(url, actor="run") as register:
        register.register(delivery())


def send(url: str, mailer: ScriptedMailer) -> None:
    with PostgresDeliveryRegister(url, actor="run") as register:
        deliver(
            register,
            mailer,
            stored_documents().__getitem__,
            delivery(SATO),
            settings=MailSettings(),
            now=datetime.datetime(2026, 11, 1, tzinfo=datetime.UTC),
        )


def resend(url: str, mailer: ScriptedMailer) -> None:
    DeliveryDecisions(url, actor="person").resend("t0001", OCTOBER, 1, "lost")
    send(url, mailer)


def in_between(
    monkeypatch: pytest.MonkeyPatch, module: ModuleType, act: Callable[[], None]
) -> None:
    """Nobody waits for a turn any more, and whoever of `module` reads deliveries next is overtaken
    by `act` before it goes on."""

    def read_deliveries(*arguments: Any) -> Any:
        monkeypatch.setattr(module, "read_deliveries", delivery_records.read_deliveries)
        found = delivery_records.read_deliveries(*arguments)
        act()
        return found

    monkeypatch.setattr(module, "take_turns", lambda *_: None)
    monkeypatch.setattr(module, "read_deliveries", read_deliveries)


def drop_constraints(url: str, names: Collection[str]) -> None:
    with psycopg.connect(url) as connection:
        for name in names:
            if name == "delivery_messages_address":
                connection.execute(f"drop index reporting.{name}")
                continue
            table = next(
                t for t in ("deliveries", "delivery_messages", "delivery_moves") if t in name
            )
            connection.execute(f"alter table reporting.{table} drop constraint {name} cascade")
