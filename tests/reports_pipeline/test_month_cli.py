"""`reports month …` as it is typed."""

from __future__ import annotations

import contextlib
import datetime
import json
from collections.abc import Iterator
from unittest import mock

import dagster as dg
import psycopg
import pytest
from click.testing import CliRunner, Result

from reports_pipeline.accounting.periods import Month
from reports_pipeline.accounting.reports import LineChange
from reports_pipeline.cli import main
from reports_pipeline.environments import LocalEnvironment, Settings
from reports_pipeline.launching import missing_runs
from reports_pipeline.month_cli import month_commands
from reports_pipeline.tokyo import this_month
from resources.delivery_decisions import DeliveryDecisions
from resources.delivery_months import DeliveryMonths
from resources.launches import SWEEPER, Launch, Launches
from resources.report_register import ReportRegister, Revision
from tests.delivery.examples import OCTOBER
from tests.reports_pipeline.opened_month import enter_october, move, open_october
from tests.reports_pipeline.requested_runs import create_runs

NOON = datetime.datetime(2026, 11, 2, 3, tzinfo=datetime.UTC)
OCTOBER_2025 = Month(2025, 10)
SALES = LineChange("income_statement", "account:4110", "売上高", "current", 1_000, 120_050)
PROFIT = LineChange("balance_sheet", "net_profit_for_year", "", "current", None, -500)
NAME = LineChange("company", "name", "", "", "梅", "梅酒造")


@pytest.fixture
def url(database_url: str) -> str:
    enter_october(database_url)
    return database_url


@pytest.fixture
def opened(url: str) -> str:
    open_october(url)
    return url


def month(url: str, *arguments: str, operator: str = "sato", **settings: str) -> Result:
    """The command, at noon of 2 November 2026 in Tokyo."""
    variables = {"REPORTS_DATABASE_URL": url, "REPORTS_FIRST_MONTH": "2025-02", **settings}
    environment = LocalEnvironment(Settings.from_environment(variables))
    with (
        mock.patch("getpass.getuser", return_value=operator),
        mock.patch("reports_pipeline.month_cli.now", return_value=NOON),
        mock.patch("reports_pipeline.command_line.last_month", return_value=OCTOBER),
    ):
        return CliRunner().invoke(month_commands, arguments, obj=environment)


def said(result: Result, exit_code: int = 0) -> list[str]:
    assert result.exit_code == exit_code, result.output
    return result.output.splitlines()


def test_the_commands_are_part_of_reports() -> None:
    assert main.commands["month"] is month_commands


@pytest.fixture
def _instance(instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch) -> None:
    """The instance that the commands find."""

    @contextlib.contextmanager
    def dagster_instance(environment: LocalEnvironment) -> Iterator[dg.DagsterInstance]:
        yield instance

    monkeypatch.setattr("reports_pipeline.month_cli.dagster_instance", dagster_instance)
    monkeypatch.setattr("reports_pipeline.month_cli.require_daemon", lambda _: None)


@pytest.mark.usefixtures("_instance")
def test_a_month_is_opened_and_launched_once(url: str, instance: dg.DagsterInstance) -> None:
    settings = {"REPORTS_TENANTS_PER_RUN": "3", "REPORTS_CANARY_TENANTS": " t0002, ,t0001,t0002"}
    assert said(month(url, "open", "--month", "2026-10", **settings)) == [
        "2026-10: 4 tenants are expected; canaries: t0001, t0002",
        "month-2026-10: 4 tenants in 2 runs",
    ]
    assert DeliveryMonths(url).expected(OCTOBER) == ["t0001", "t0002", "t0003", "t0005"]
    assert set(instance.get_dynamic_partitions("tenant")) == {"t0001", "t0002", "t0003", "t0005"}
    [launch] = Launches(url).unlaunched()
    assert (launch.launch_id, len(launch.batches)) == ("month-2026-10", 2)

    again, expected, nothing = said(month(url, "open", "--month", "2026-10", operator="suzuki"))
    assert again.startswith("2026-10: was opened 20")
    assert again.endswith(" Tokyo by sato")
    assert expected == "2026-10: 4 tenants are expected; canaries: t0001, t0002"
    assert nothing == "Everybody expected has its reports or a run, or is asked for."
    assert Launches(url).unlaunched() == [launch]


@pytest.mark.usefixtures("_instance")
def test_whom_the_schedule_has_launched_is_not_launched_again(
    opened: str, instance: dg.DagsterInstance
) -> None:
    scheduled = Launch("month-2026-10", OCTOBER, (("t0001", "t0003"),))
    create_runs(instance, missing_runs(instance, scheduled))
    assert said(month(opened, "open", "--month", "2026-10"))[-1] == (
        "month-2026-10: 1 tenant in 1 run"
    )
    [launch] = Launches(opened).unlaunched()
    assert launch.batches == (("t0002",),)


@pytest.mark.usefixtures("_instance")
def test_who_has_got_its_reports_already_is_not_launched(url: str) -> None:
    move(url, "t0001", "ACCEPTED")
    said(month(url, "open", "--month", "2026-10"))
    assert DeliveryMonths(url).expected(OCTOBER) == ["t0001", "t0002", "t0003", "t0005"]
    [launch] = Launches(url).unlaunched()
    assert launch.batches == (("t0002", "t0003", "t0005"),)


@pytest.mark.usefixtures("_instance")
def test_who_became_active_after_the_launch_is_for_a_person_to_launch(
    opened: str, instance: dg.DagsterInstance
) -> None:
    month(opened, "open", "--month", "2026-10")
    [launch] = Launches(opened).unlaunched()
    create_runs(instance, missing_runs(instance, launch))
    Launches(opened).mark_launched([launch.launch_id])
    with psycopg.connect(opened) as connection:
        connection.execute("update ledger.companies set status = 'active'")
    assert said(month(opened, "open", "--month", "2026-10"), exit_code=1)[-1] == (
        "Error: month-2026-10 was launched before, without t0004; "
        "`reports backfill --month 2026-10 --tenant t0004` launches them"
    )


def test_without_a_daemon_the_launch_is_written_down_and_the_error_says_so(
    url: str, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "reports_pipeline.month_cli.dagster_instance", lambda _: contextlib.nullcontext(instance)
    )
    assert said(month(url, "open", "--month", "2026-10"), exit_code=1)[-1] == (
        "Error: month-2026-10 is written down. No Dagster daemon is running, so nothing will start "
        "the runs: start `reports dev`, or on AWS the service `daemon`."
    )
    assert [launch.launch_id for launch in Launches(url).unlaunched()] == ["month-2026-10"]


def test_a_month_that_is_not_over_is_not_opened(url: str) -> None:
    with mock.patch("reports_pipeline.month_cli.this_month", return_value=Month(2026, 11)):
        result = month(url, "open", "--month", str(this_month()))
    assert said(result, exit_code=1) == [
        f"Error: {this_month()} is not over; it can be opened from {this_month().end} on"
    ]
    assert DeliveryMonths(url).open_months() == []


def test_neither_is_one_outside_the_window(url: str) -> None:
    [line] = said(month(url, "open", "--month", "2025-01"), exit_code=1)
    assert line.startswith("Error: 2025-01 is outside the window 2025-02 to ")
    assert DeliveryMonths(url).open_months() == []


def test_nor_one_whose_canaries_are_no_customers(url: str) -> None:
    result = month(url, "open", "--month", "2026-10", REPORTS_CANARY_TENANTS="t0004")
    assert said(result, exit_code=1) == [
        "Error: none of t0004 is an active tenant; correct REPORTS_CANARY_TENANTS"
    ]
    assert DeliveryMonths(url).open_months() == []


def test_status_says_where_everybody_stands(opened: str) -> None:
    DeliveryDecisions(opened, actor="sato").hold(["t0002"], None, "勘定の誤り")
    first, *lines = said(month(opened, "status", "--month", "2026-10"))
    assert first.startswith("2026-10: opened 20")
    assert first.endswith(" Tokyo by schedule")
    failure = lines.pop(7)
    assert lines == [
        "4 tenants expected: 1 LEFT, 1 WAITING, 1 HELD, 1 FAILED",
        "  ledger_extracts   1 LEDGER_IMBALANCE, 2 done",
        "  statements        not started",
        "  report_pdfs       not started",
        "  report_workbooks  not started",
        "  report_deliveries 2 done",
        "canaries: t0001; mails to the others wait for t0001",
        "waiting for the next run: 1: t0001",
        "t0002: held by sato: 勘定の誤り",
    ]
    assert failure.startswith("t0003: LEDGER_IMBALANCE: テナント t0003：借方と貸方")


def test_status_says_who_waits_for_what(opened: str) -> None:
    with psycopg.connect(opened) as connection:
        connection.execute(
            "insert into reporting.delivery_preferences (tenant_id, version, not_before, set_by)"
            " values ('t0001', 1, '15:00', 'sato'), ('t0002', 1, '14:00', 'sato')"
        )
    lines = said(month(opened, "status", "--month", "2026-10"))
    assert [line for line in lines if line.startswith("waiting")] == [
        "waiting until 2026-11-02 14:00 Tokyo and for the canaries: 1: t0002",
        "waiting until 2026-11-02 15:00 Tokyo: 1: t0001",
    ]


def test_status_says_which_mails_are_unknown_and_who_is_parked(opened: str) -> None:
    move(opened, "t0001", "UNKNOWN")
    launches = Launches(opened)
    launches.request(Launch("sweep-1", OCTOBER, (("t0003",),)), requested_by=SWEEPER)
    launches.park(OCTOBER, launches.sweeps(OCTOBER))
    lines = said(month(opened, "status", "--month", "2026-10"))
    assert lines[-2:] == [
        "UNKNOWN: 1: t0001; see `reports deliveries list --month 2026-10 --state unknown`",
        "parked: 1: t0003; they wait for `reports backfill --month 2026-10 --tenant t0003`",
    ]
    [failure] = [line for line in lines if line.startswith("t0003: LEDGER_IMBALANCE: ")]
    assert failure.endswith(" (parked)")


def suspend(url: str, tenant_id: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute(
            "update ledger.companies set status = 'suspended' where tenant_id = %s", [tenant_id]
        )


def test_status_says_what_to_do_about_the_suspended(opened: str) -> None:
    suspend(opened, "t0002")
    lines = said(month(opened, "status", "--month", "2026-10"))
    assert (
        "suspended: 1: t0002; once they are active again: "
        "reports backfill --month 2026-10 --tenant t0002"
    ) in lines


def test_status_names_those_nobody_expects_whose_mails_wait(opened: str) -> None:
    with psycopg.connect(opened) as connection:
        connection.execute(
            "delete from reporting.expected_tenants where tenant_id in ('t0001', 't0002')"
        )
    DeliveryDecisions(opened, actor="sato").hold(["t0002"], None, "勘定の誤り")
    lines = said(month(opened, "status", "--month", "2026-10"))
    assert lines[1] == "2 tenants expected: 1 LEFT, 1 FAILED"
    assert [line for line in lines if line.startswith("not expected")] == [
        "not expected, waiting for the next run: 1: t0001",
        "not expected, HELD: 1: t0002",
    ]
    document = json.loads(month(opened, "status", "--month", "2026-10", "--json").stdout)
    assert [(other["tenant_id"], other["standing"]) for other in document["others"]] == [
        ("t0001", "WAITING"),
        ("t0002", "HELD"),
    ]


def test_status_of_a_month_that_was_never_opened_is_of_the_active(url: str) -> None:
    lines = said(month(url, "status", "--month", "2026-10"))
    assert lines[:2] == [
        "2026-10: never opened",
        "4 tenants active: 2 WAITING, 1 FAILED, 1 NOT_STARTED",
    ]
    assert said(month(url, "status", "--month", "2026-08"))[:2] == [
        "2026-08: never opened",
        "4 tenants active: 4 NOT_STARTED",
    ]


def test_status_says_when_it_will_be_done(opened: str) -> None:
    def lately(minutes: dict[str, int]) -> None:
        with psycopg.connect(opened) as connection:
            for tenant_id, ago in minutes.items():
                connection.execute(
                    """
                    insert into reporting.stage_outcomes
                        (month, tenant_id, stage, run_id, artefact, recorded_at)
                    values ('2026-10-01', %(tenant)s, 'report_deliveries', 'run', 'a', %(at)s)
                    on conflict (month, tenant_id, stage) do update set recorded_at = %(at)s
                    """,
                    {"tenant": tenant_id, "at": NOON - datetime.timedelta(minutes=ago)},
                )

    with psycopg.connect(opened) as connection:
        connection.execute(
            "insert into reporting.expected_tenants values"
            " ('2026-10-01', 't0005'), ('2026-10-01', 't0006')"
        )
        connection.execute("insert into ledger.companies values ('t0006', '菊')")
    lately({"t0001": 20, "t0002": 20})
    assert "at the rate" not in month(opened, "status", "--month", "2026-10").output
    lately({"t0001": 6, "t0002": 3})
    assert said(month(opened, "status", "--month", "2026-10"))[-1] == (
        "at the rate of the last minutes, done about 2026-11-02 12:12 Tokyo"
    )


def test_status_as_json_has_every_tenant(opened: str) -> None:
    DeliveryDecisions(opened, actor="sato").hold(["t0002"], OCTOBER, "勘定の誤り")
    document = json.loads(month(opened, "status", "--month", "2026-10", "--json").stdout)
    tenants = {tenant.pop("tenant_id"): tenant for tenant in document.pop("tenants")}
    opened_at = datetime.datetime.fromisoformat(document.pop("opened_at"))
    assert opened_at.utcoffset() == datetime.timedelta(0)
    assert document == {
        "month": "2026-10",
        "opened_by": "schedule",
        "closed_by": None,
        "closed_at": None,
        "standings": {"WAITING": 1, "HELD": 1, "FAILED": 1, "LEFT": 1},
        "stages": {
            "ledger_extracts": {"done": 2, "LEDGER_IMBALANCE": 1},
            "statements": {},
            "report_pdfs": {},
            "report_workbooks": {},
            "report_deliveries": {"done": 2},
        },
        "canaries": ["t0001"],
        "awaited_canaries": ["t0001"],
        "done_about": None,
        "others": [],
    }
    assert tenants["t0001"] == {
        "standing": "WAITING",
        "failure": None,
        "may_go_at": "2026-11-02T03:00:00+00:00",
        "waits_for_canaries": False,
        "held_by": None,
        "parked": False,
    }
    assert tenants["t0002"]["held_by"] == "sato"
    assert tenants["t0003"]["failure"] == {"code": "LEDGER_IMBALANCE", "details": {"difference": 3}}
    assert tenants["t0004"]["standing"] == "LEFT"


def test_a_month_is_closed_when_everybody_has_been_dealt_with(opened: str) -> None:
    move(opened, "t0001", "ACCEPTED")
    move(opened, "t0002", "ACCEPTED")
    DeliveryDecisions(opened, actor="sato").waive(["t0003"], OCTOBER, "解約手続き中")
    assert said(month(opened, "close", "--month", "2026-10")) == ["2026-10: closed"]
    lines = said(month(opened, "status", "--month", "2026-10"))
    assert lines[1].startswith("closed 20")
    assert lines[1].endswith(" Tokyo by sato")
    assert lines[2] == "4 tenants expected: 2 DELIVERED, 1 WAIVED, 1 LEFT"
    [line] = said(month(opened, "close", "--month", "2026-10", operator="suzuki"), exit_code=1)
    assert line == "Error: 2026-10 is closed already, by sato"


def test_what_is_in_the_way_of_closing_is_shown_with_what_to_do(opened: str) -> None:
    move(opened, "t0001", "UNKNOWN")
    DeliveryDecisions(opened, actor="sato").hold(["t0002"], None, "勘定の誤り")
    with psycopg.connect(opened) as connection:
        connection.execute("insert into reporting.expected_tenants values ('2026-10-01', 't0005')")
    assert said(month(opened, "close", "--month", "2026-10"), exit_code=1) == [
        "HELD: 1: t0002",
        "  reports deliveries release --tenant t0002 --reason …",
        "LEDGER_IMBALANCE: 1: t0003",
        "  mend it as docs/runbook.md says of the code, then: "
        "reports backfill --month 2026-10 --failed",
        "NOT_STARTED: 1: t0005",
        "  reports backfill --month 2026-10 --tenant t0005",
        "UNKNOWN: 1: t0001",
        "  which mails: reports deliveries list --month 2026-10 --state unknown --state posting",
        "  ask the recipient, then: reports deliveries resolve --month 2026-10 --tenant t0001 "
        "--recipient … --as arrived --reason … (or signed-off)",
        "whoever needs nothing of the month: "
        "reports deliveries waive --month 2026-10 --tenant … --reason …",
        "2026-10 stays open for 4 tenants",
    ]
    assert DeliveryMonths(opened).open_months() == [OCTOBER]


def test_what_to_do_about_the_suspended_and_those_asked_for_in_vain_is_shown(opened: str) -> None:
    suspend(opened, "t0002")
    launches = Launches(opened)
    launches.request(Launch("sweep-1", OCTOBER, (("t0001",),)), requested_by=SWEEPER)
    waits = "  they go out when it is time: reports month status --month 2026-10"
    assert waits in said(month(opened, "close", "--month", "2026-10"), exit_code=1)
    launches.park(OCTOBER, launches.sweeps(OCTOBER))
    lines = said(month(opened, "close", "--month", "2026-10"), exit_code=1)
    assert lines[2:6] == [
        "SUSPENDED: 1: t0002",
        "  once they are active again: reports backfill --month 2026-10 --tenant t0002",
        "WAITING: 1: t0001",
        "  asked for in vain: reports backfill --month 2026-10 --tenant t0001",
    ]


def test_closing_names_those_nobody_expects_whose_mails_wait(opened: str) -> None:
    with psycopg.connect(opened) as connection:
        connection.execute("delete from reporting.expected_tenants where tenant_id <> 't0004'")
    move(opened, "t0001", "UNKNOWN")
    waiting = (
        "not expected, and their mails wait: 1: t0002; they go out when it is time, whether the "
        "month is closed or not"
    )
    lines = said(month(opened, "close", "--month", "2026-10"), exit_code=1)
    assert lines[:2] == [waiting, "UNKNOWN: 1: t0001"]
    move(opened, "t0001", "ACCEPTED")
    assert said(month(opened, "close", "--month", "2026-10")) == [waiting, "2026-10: closed"]


def test_a_month_that_was_never_opened_is_not_closed(url: str) -> None:
    for command in (["close"], ["reopen", "--reason", "漏れ"]):
        [line] = said(month(url, *command, "--month", "2026-10"), exit_code=1)
        assert line == "Error: 2026-10 was never opened; see `reports month open`"


def test_reopening_keeps_who_and_why(opened: str) -> None:
    DeliveryMonths(opened).close(OCTOBER, closed_by="sato")
    [closed] = said(month(opened, "open", "--month", "2026-10"), exit_code=1)[1:]
    assert closed.startswith("Error: 2026-10 was closed 20")
    assert closed.endswith("`reports month reopen --month 2026-10 --reason …` opens it again")
    reopen = ("reopen", "--month", "2026-10", "--reason")
    assert said(month(opened, *reopen, "訂正がある", operator="suzuki")) == ["2026-10: open again"]
    reopened = said(month(opened, "status", "--month", "2026-10"))[2]
    assert reopened.startswith("reopened 20")
    assert reopened.endswith(" Tokyo by suzuki: 訂正がある")
    assert said(month(opened, *reopen, "訂正がある"), exit_code=1) == [
        "Error: 2026-10 is not closed"
    ]


def test_reopening_needs_a_reason(opened: str) -> None:
    DeliveryMonths(opened).close(OCTOBER, closed_by="sato")
    for reason in ([], ["--reason", " "]):
        result = month(opened, "reopen", "--month", "2026-10", *reason)
        assert "--reason" in said(result, exit_code=2)[-1]
    assert DeliveryMonths(opened).open_months() == []


@pytest.fixture
def corrected(database_url: str) -> str:
    """A second revision of ume's closed October 2025, which corrects the first; sakura has one
    too."""
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "insert into ledger.companies (tenant_id, name, currency) values"
            " ('sakura', 'さくら商店', 'JPY'), ('ume', '梅', 'USD')"
        )
    register = ReportRegister(database_url)
    for letter in "ab":
        revisions = register.assign_revisions(
            OCTOBER_2025,
            {"sakura": letter * 64, "ume": letter * 64},
            closed=["sakura", "ume"],
            statements_key="statements.arrow",
            run_id=f"run-{letter}",
        )
    assert revisions == dict.fromkeys(["sakura", "ume"], Revision(2, corrects=1))
    changes = {"sakura": (SALES,), "ume": (NAME, SALES, PROFIT)}
    register.record_changes(
        OCTOBER_2025, {t: Revision(2, corrects=1, changes=c) for t, c in changes.items()}
    )
    return database_url


def test_corrections_list_what_they_change(corrected: str) -> None:
    lines = said(month(corrected, "corrections", "--month", "2025-10"))
    assert [line.split(",")[0] for line in lines if not line.startswith(" ")] == [
        "sakura: revision 2 corrects revision 1",
        "ume: revision 2 corrects revision 1",
    ]
    lines = said(month(corrected, "corrections", "--month", "2025-10", "--tenant", "ume"))
    assert lines[0].endswith(" Tokyo, 3 changes")
    assert [line.split() for line in lines[1:]] == [
        ["梅", "梅酒造", "company", "会社名"],
        ["10.00", "1,200.50", "income_statement.current", "売上高"],
        ["—", "△5.00", "balance_sheet.current", "当期純損益金額"],
    ]


def test_corrections_as_json_are_whole_numbers_of_minor_units(corrected: str) -> None:
    result = month(corrected, "corrections", "--month", "2025-10", "--tenant", "ume", "--json")
    document = json.loads(result.stdout)
    [correction] = document["corrections"]
    assert document["month"] == "2025-10"
    made = datetime.datetime.fromisoformat(correction.pop("created_at"))
    assert made.utcoffset() == datetime.timedelta(0)
    assert correction.pop("changes")[1] == {
        "statement": "income_statement",
        "key": "account:4110",
        "label": "売上高",
        "column": "current",
        "before": 1_000,
        "after": 120_050,
    }
    assert correction == {
        "tenant_id": "ume",
        "revision": 2,
        "corrects": 1,
        "run_id": "run-b",
        "currency": "USD",
        "decimals": 2,
    }


def test_corrections_that_nobody_compared_do_not_pass_for_unchanged(corrected: str) -> None:
    with psycopg.connect(corrected) as connection:
        connection.execute(
            "update reporting.report_revisions set changes = null where tenant_id = 'ume'"
        )
    of_ume = ("corrections", "--month", "2025-10", "--tenant", "ume")
    [line] = said(month(corrected, *of_ume))
    assert line.endswith(" Tokyo, not compared yet; run the month again")
    [correction] = json.loads(month(corrected, *of_ume, "--json").stdout)["corrections"]
    assert correction["changes"] is None


def test_a_month_without_corrections_says_so(url: str) -> None:
    assert said(month(url, "corrections", "--month", "2025-10")) == ["2025-10: no corrections"]


def test_corrections_of_unknown_tenants_are_refused(url: str) -> None:
    tenants = ["--tenant", "t0001", "--tenant", "nobody"]
    result = month(url, "corrections", "--month", "2025-10", *tenants)
    assert said(result, exit_code=1) == ["Error: no such tenants: nobody"]
