"""`reports deliveries …` as it is typed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from unittest import mock

import psycopg
import pytest
from click.testing import CliRunner, Result

from reports_pipeline.accounting.failures import TenantFailureError
from reports_pipeline.cli import main
from reports_pipeline.deliveries_cli import delivery_commands
from reports_pipeline.delivery.deliveries import LetterCorrection
from reports_pipeline.delivery.errors import MailRefusedError, UnclearOutcomeError
from reports_pipeline.delivery.messages import MailSettings
from reports_pipeline.environments import LocalEnvironment, Settings
from resources.delivery_months import DeliveryMonths
from resources.delivery_register import PostgresDeliveryRegister
from resources.dispatch import deliver
from resources.mailer import Mailer
from tests.delivery.examples import LETTER, OCTOBER, SATO, SUZUKI, delivery, stored_documents
from tests.resources.test_dispatch import NOW, ScriptedMailer

OF_OCTOBER = ["--month", str(OCTOBER)]
OF_T0001 = [*OF_OCTOBER, "--tenant", "t0001"]


@pytest.fixture
def url(database_url: str) -> str:
    """Two companies with two revisions of October."""
    with psycopg.connect(database_url) as connection:
        connection.execute(
            """
            insert into ledger.companies (tenant_id, name, currency) values
                ('t0001', '山田製作所', 'JPY'), ('t0002', 'さくら商店', 'JPY')
            """
        )
        connection.execute(
            "insert into ledger.contacts (tenant_id, contact_no, name, email) values"
            " ('t0001', 1, '田中 三郎', 'tanaka@yamada.example'),"
            f" ('t0001', 2, '{SATO.name}', '{SATO.email}')"
        )
        connection.execute(
            """
            insert into reporting.report_revisions
                (tenant_id, month, revision, numbers_hash, closed, statements_key, run_id)
            select tenant_id, '2026-10-01', revision, repeat('a', 64), false, 'a.arrow', 'run'
            from unnest(array['t0001', 't0002']) as tenant_id, generate_series(1, 2) as revision
            """
        )
    return database_url


def send(url: str, mailer: Mailer, revision: int = 1) -> None:
    stored = stored_documents(revision=revision)
    with PostgresDeliveryRegister(url, actor="run-1") as register:
        deliver(
            register,
            mailer,
            stored.__getitem__,
            delivery(
                SATO,
                SUZUKI,
                revision=revision,
                letter=replace(LETTER, correction=LetterCorrection(1, 2, (), 0))
                if revision == 2
                else LETTER,
            ),
            settings=MailSettings(),
            now=NOW,
        )


def deliveries(url: str, *arguments: str) -> Result:
    environment = LocalEnvironment(Settings.from_environment({"REPORTS_DATABASE_URL": url}))
    with mock.patch("getpass.getuser", return_value="sato"):
        return CliRunner().invoke(delivery_commands, arguments, obj=environment)


def said(result: Result, exit_code: int = 0) -> list[str]:
    assert result.exit_code == exit_code, result.output
    return result.output.splitlines()


def test_the_commands_are_part_of_reports() -> None:
    assert main.commands["deliveries"] is delivery_commands


def test_the_list_names_tenants_states_and_holds(url: str) -> None:
    with pytest.raises(TenantFailureError):
        send(url, ScriptedMailer(UnclearOutcomeError("time-out")))
    said(deliveries(url, "hold", "--tenant", "t0002", "--reason", "wait"))
    listed = [
        "t0001  r1  1 UNKNOWN, 2 ACCEPTED",
        "2026-10: 1 deliveries; mails: 1 ACCEPTED, 1 UNKNOWN",
        "held: t0002 by sato: wait",
    ]
    assert said(deliveries(url, "list", *OF_OCTOBER)) == listed
    assert said(deliveries(url, "list", *OF_OCTOBER, "--state", "unknown")) == listed
    assert said(deliveries(url, "list", *OF_OCTOBER, "--state", "bounced"))[0] == (
        "2026-10: 0 deliveries; mails: none"
    )


@pytest.fixture
def one_revision(url: str) -> None:
    """None waits to correct another."""
    with psycopg.connect(url) as connection:
        connection.execute("delete from reporting.report_revisions where revision = 2")


@pytest.mark.usefixtures("one_revision")
def test_a_delivery_is_shown_with_its_files_and_every_step(url: str) -> None:
    send(url, ScriptedMailer())
    said(deliveries(url, "resend", *OF_T0001, "--recipient", "1", "--reason", "lost"))
    shown = said(deliveries(url, "show", *OF_T0001))
    assert shown[0].startswith("t0001 2026-10 r1  ")
    assert any("income_statement.pdf" in line for line in shown)
    assert f"  1  ACCEPTED  {SATO.name} <{SATO.email}>  dealt with  id-1" in shown
    assert f"  3  BUILT  {SATO.name} <{SATO.email}>  once more for 1" in shown
    assert shown[-1].endswith("r1/1 resend  sato: lost")
    assert any(line.endswith("r1/1 POSTING → ACCEPTED  run-1") for line in shown)


def test_tenants_are_waived_for_a_month(url: str) -> None:
    waive = ("waive", "--month", "2026-10", "--tenant", "t0001,t0002", "--reason", "解約手続き中")
    assert said(deliveries(url, *waive)) == ["2026-10: waived: t0001, t0002"]
    assert said(deliveries(url, "show", *OF_T0001))[-1].endswith("waive  sato: 解約手続き中")
    assert said(deliveries(url, "unwaive", *OF_T0001, "--reason", "解約しない"))[0] == (
        "2026-10: expected again: t0001"
    )
    assert said(deliveries(url, "show", *OF_T0001))[-1].endswith("unwaive  sato: 解約しない")


def test_a_hold_is_ended_by_name(url: str) -> None:
    said(deliveries(url, "hold", *OF_T0001, "--reason", "wait"))
    said(deliveries(url, "hold", "--tenant", "t0001", "--reason", "wait for all"))
    assert said(deliveries(url, "release", *OF_T0001, "--reason", "go")) == [
        "2026-10: released: t0001",
        "another hold is in force: t0001 (every month)",
    ]
    both = ["release", "--tenant", "t0001,t0002", "--reason", "go"]
    assert said(deliveries(url, *both)) == [
        "every month: released: t0001",
        "every month: nothing was held: t0002",
        "It goes out with the next run: reports backfill --month YYYY-MM --tenant t0001",
    ]
    assert said(deliveries(url, *both)) == ["every month: nothing was held: t0001, t0002"]
    steps = said(deliveries(url, "show", *OF_OCTOBER, "--tenant", "t0002"))
    assert not any("release" in step for step in steps)


def test_everybody_is_held_and_released_without_ending_the_holds_of_others(url: str) -> None:
    said(deliveries(url, "hold", "--tenant", "t0001", "--reason", "wait"))
    [held] = said(deliveries(url, "hold", "--all", "--reason", "restore"))
    assert held.startswith("every month: held: t0002")
    assert "t0001" not in held
    released, going = said(
        deliveries(url, "release", "--held-for", "restore", "--reason", "compared")
    )
    assert released == held.replace("held", "released")
    assert going == "What waits goes out within minutes, by the sweeper."
    assert "held: t0001 by sato: wait" in said(deliveries(url, "list", *OF_OCTOBER))
    again = deliveries(url, "release", "--held-for", "restore", "--reason", "compared")
    assert said(again, exit_code=1) == ["Error: every month: nobody is held for 'restore'"]
    said(deliveries(url, "hold", "--all", "--reason", "restore"))
    again = deliveries(url, "hold", "--all", "--reason", "restore")
    assert said(again, exit_code=1) == ["Error: every month: everybody is held already"]


def test_a_hold_of_another_month_is_named_where_it_matters(url: str) -> None:
    said(deliveries(url, "hold", "--tenant", "t0001", "--month", "2026-09", "--reason", "wait"))
    said(deliveries(url, "hold", *OF_T0001, "--reason", "wait"))
    said(deliveries(url, "hold", "--tenant", "t0001", "--reason", "wait"))
    assert said(deliveries(url, "release", "--tenant", "t0001", "--reason", "go"))[1] == (
        "another hold is in force: t0001 (2026-09), t0001 (2026-10)"
    )
    assert said(deliveries(url, "release", *OF_T0001, "--reason", "go")) == [
        "2026-10: released: t0001",
        "It goes out with the next run: reports backfill --month 2026-10 --tenant t0001",
    ]


def test_a_correction_is_approved(url: str) -> None:
    mailer = ScriptedMailer()
    send(url, mailer)
    with pytest.raises(TenantFailureError, match="CORRECTION_PENDING"):
        send(url, mailer, revision=2)
    approve = ["approve", *OF_T0001, "--reason", "sales were missing", "--revision"]
    assert said(deliveries(url, *approve, "2"))[0] == "t0001 2026-10: revision 2 may go out"
    assert said(deliveries(url, *approve, "3"), 1) == [
        "Error: t0001 2026-10: the newest revision is 2, not 3; read what it changes"
    ]
    send(url, mailer, revision=2)
    assert len(mailer.posts) == 4


@pytest.mark.usefixtures("one_revision")
def test_who_has_left_the_company_is_not_mailed_once_more(url: str) -> None:
    send(url, ScriptedMailer())
    again = ["resend", *OF_T0001, "--recipient", "2", "--reason", "lost"]
    assert said(deliveries(url, *again), 1) == [
        f"Error: t0001 has no contact with the address {SUZUKI.email}; name one that it has with "
        "--to"
    ]


@pytest.mark.usefixtures("one_revision")
def test_a_mail_may_go_to_another_contact_only(url: str) -> None:
    send(url, ScriptedMailer())
    again = ["resend", *OF_T0001, "--recipient", "1", "--reason", "came back", "--to"]
    assert said(deliveries(url, *again, "evil@example.com"), 1) == [
        "Error: t0001 has no contact with the address evil@example.com; name one that it has with "
        "--to"
    ]
    assert said(deliveries(url, *again, "TANAKA@yamada.example"))[0] == (
        "t0001 2026-10: 3  BUILT  田中 三郎 <tanaka@yamada.example>  once more for 1"
    )


@pytest.mark.usefixtures("one_revision")
def test_an_alternative_contact_gets_a_mail_when_a_person_says_so(url: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute(
            "insert into ledger.contacts values"
            " ('t0001', 3, '顧問税理士', 'zeirishi@example.jp', 'alternative')"
        )
    mailer = ScriptedMailer()
    send(url, mailer)
    again = ["resend", *OF_T0001, "--recipient", "1", "--reason", "came back", "--to"]
    said(deliveries(url, *again, "zeirishi@example.jp"))
    send(url, mailer)
    assert mailer.posts == [SATO.email, SUZUKI.email, "zeirishi@example.jp"]


@pytest.mark.parametrize(
    ("outcome", "step"),
    [("arrived", "UNKNOWN → ACCEPTED"), ("signed-off", "r1/1 sign_off")],
)
def test_an_unclear_mail_is_settled(url: str, outcome: str, step: str) -> None:
    with pytest.raises(TenantFailureError):
        send(url, ScriptedMailer(UnclearOutcomeError("time-out")))
    settle = ["resolve", *OF_T0001, "--recipient", "1", "--as", outcome, "--reason", "asked"]
    said(deliveries(url, *settle))
    assert any(step in line for line in said(deliveries(url, "show", *OF_T0001)))
    send(url, ScriptedMailer())


@pytest.fixture
def refused(url: str) -> None:
    """Both mails to t0001."""
    with pytest.raises(TenantFailureError, match="MAIL_REFUSED"):
        send(url, ScriptedMailer(MailRefusedError("too odd"), MailRefusedError("too odd")))


@pytest.mark.usefixtures("one_revision", "refused")
def test_what_was_refused_is_opened_again_for_all_at_once(url: str) -> None:
    reopen = ["reopen", *OF_OCTOBER, "--tenant", "t0001,t0002", "--reason", "the relay is mended"]
    assert said(deliveries(url, *reopen)) == [
        "t0001 2026-10: the mail to recipient 1 is open again",
        "t0001 2026-10: the mail to recipient 2 is open again",
        "2026-10: no mail is blocked: t0002",
        "It goes out with the next run: reports backfill --month 2026-10 --tenant t0001",
    ]
    assert said(deliveries(url, *reopen), 1) == [
        "Error: 2026-10: no mail to t0001, t0002 is blocked"
    ]
    mailer = ScriptedMailer()
    send(url, mailer)
    assert mailer.posts == [SATO.email, SUZUKI.email]


@pytest.mark.usefixtures("one_revision", "refused")
def test_one_mail_that_was_refused_is_opened_again_by_its_number(url: str) -> None:
    reopen = ["reopen", *OF_T0001, "--recipient", "2", "--reason", "the relay is mended"]
    assert said(deliveries(url, *reopen))[0] == (
        "t0001 2026-10: the mail to recipient 2 is open again"
    )
    assert said(deliveries(url, "list", *OF_T0001))[0] == "t0001  r1  1 BLOCKED, 2 BUILT"
    assert "--recipient is a number of one tenant" in "".join(
        said(deliveries(url, *reopen, "--tenant", "t0002"), 2)
    )


def test_the_wait_for_the_canaries_ends_by_a_word(url: str) -> None:
    DeliveryMonths(url).open(OCTOBER, ["t0001", "t0002"], canaries=["t0002"], opened_by="sato")
    end = ["end-canary", *OF_OCTOBER, "--reason", "read on the phone"]
    assert said(deliveries(url, *end)) == ["2026-10: nothing waits any longer for t0002"]
    assert said(deliveries(url, *end), 1) == ["Error: 2026-10: nothing waits for canaries"]
    [step] = said(deliveries(url, "show", *OF_T0001))[1:]
    assert step.endswith("  end_canary  sato: read on the phone")


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (
            ["approve", *OF_T0001, "--revision", "2", "--reason", "x"],
            "t0001 2026-10: nothing was sent",
        ),
        (["unsuppress", "a@b.example", "--reason", "x"], "not suppressed: a@b.example"),
        (["hold", "--tenant", "nobody", "--reason", "x"], "no such tenants: nobody"),
        (["hold", "--reason", "x"], "Name tenants with --tenant, or --all."),
        (["hold", "--all", "--tenant", "t0001", "--reason", "x"], "Name tenants with --tenant, or"),
        (["release", "--reason", "x"], "Name tenants with --tenant, or a reason"),
        (["release", "--held-for", "y", "--tenant", "t0001", "--reason", "x"], "or a reason with"),
        (["hold", "--tenant", "t0001"], "Missing option '--reason'"),
        (["hold", "--tenant", "t0001", "--reason", " "], "Invalid value for '--reason': is empty"),
        (["unsuppress", "a@b.example", "--reason", ""], "Invalid value for '--reason': is empty"),
        (
            ["test-send", *OF_T0001, "--to", "a@b.example", "--reason", ""],
            "Invalid value for '--reason': is empty",
        ),
        (["show", *OF_OCTOBER, "--tenant", "nobody"], "no such tenants: nobody"),
        (["resolve", *OF_T0001, "--recipient", "1", "--reason", "x"], "Missing option '--as'"),
        (
            ["resolve", *OF_T0001, "--recipient", "1", "--as", "arrived", "--reason", "x"],
            "there is no mail to a recipient 1",
        ),
    ],
)
def test_what_cannot_be_is_said_in_a_line(url: str, arguments: list[str], error: str) -> None:
    result = deliveries(url, *arguments)
    assert result.exit_code in (1, 2)
    assert error in result.output
    assert "Traceback" not in result.output


def test_nothing_delivered_is_said(url: str, tmp_path: Path) -> None:
    assert said(deliveries(url, "show", *OF_T0001)) == [
        "t0001 2026-10: nothing is registered for delivery."
    ]
