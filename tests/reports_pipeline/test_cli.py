"""`reports …` as it is typed."""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import dagster as dg
import psycopg
import pytest
from click.testing import CliRunner, Result

from reports_pipeline.accounting.failures import FailureCode, TenantFailure
from reports_pipeline.cli import main
from reports_pipeline.tokyo import this_month
from resources.database import create_database
from resources.launches import Launch, Launches
from resources.stage_outcomes import StageOutcomes
from tests.sample_ledgers import APRIL, TENANTS, sample_database


@pytest.fixture(scope="module")
def dagster_url(postgres_server: str) -> str:
    """Dagster's tables, in a database of their own, which are made once."""
    return create_database(postgres_server, "dagster_of_cli")


@pytest.fixture(scope="module")
def shared_url(postgres_server: str) -> str:
    return sample_database(postgres_server)


@pytest.fixture
def sample_url(shared_url: str) -> str:
    """The sample as it was loaded, nothing launched yet."""
    with psycopg.connect(shared_url) as connection:
        connection.execute("truncate reporting.launches, reporting.stage_outcomes cascade")
        connection.execute("update ledger.companies set status = 'active'")
    return shared_url


@pytest.fixture(autouse=True)
def _environment(sample_url: str, dagster_url: str, tmp_path: Path) -> Iterator[None]:
    settings = {
        "REPORTS_HOME": str(tmp_path),
        "REPORTS_DATABASE_URL": sample_url,
        "REPORTS_DAGSTER_URL": dagster_url,
        "REPORTS_FIRST_MONTH": "2025-02",
        "REPORTS_TENANTS_PER_RUN": "2",
    }
    # the commands set what Dagster's programs need, and end in order when they are asked to
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    with mock.patch.dict(os.environ, settings):
        yield
    for number, handler in handlers.items():
        signal.signal(number, handler)


def reports(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


def refused(*arguments: str) -> str:
    """What is said to a command that is refused in good order."""
    result = reports(*arguments)
    assert isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code in (1, 2)
    return result.output


COMMANDS_OF_A_MONTH = [
    ["backfill", "--all"],
    ["backfill", "--failed"],
    ["backfill", "--tenant", "t0001"],
    ["demo"],
    ["books", "close", "--all"],
    ["books", "reopen", "--tenant", "t0001", "--reason", "漏れ"],
    ["books", "show"],
    ["month", "open"],
    ["month", "status"],
    ["month", "close"],
    ["month", "reopen", "--reason", "漏れ"],
    ["month", "corrections"],
    ["statement", "--tenant", "t0001"],
    ["verify", "--engine", "beancount"],
]


@pytest.fixture
def _unreachable_database(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever reads a row fails otherwise than by refusing."""
    for name in ("REPORTS_DATABASE_URL", "REPORTS_LEDGER_URL", "REPORTS_DAGSTER_URL"):
        monkeypatch.setenv(name, "postgresql://127.0.0.1:1/nowhere")


@pytest.mark.usefixtures("_unreachable_database")
@pytest.mark.parametrize("month", ["2025-13", "April", "2025-4", "2025-04-01", ""])
@pytest.mark.parametrize("command", COMMANDS_OF_A_MONTH, ids=" ".join)
def test_what_is_no_month_is_refused_before_any_row_is_read(command: list[str], month: str) -> None:
    said = refused(*command, "--month", month)
    assert "--month" in said
    assert "month" in said.split("Error:")[1]


@pytest.mark.usefixtures("_unreachable_database")
@pytest.mark.parametrize("command", COMMANDS_OF_A_MONTH, ids=" ".join)
def test_a_future_month_is_refused_before_any_row_is_read(command: list[str]) -> None:
    said = refused(*command, "--month", "2999-01")
    assert "2999-01 has not begun" in said or "2999-01 is outside the window" in said


def test_next_month_has_begun_where_books_close_early() -> None:
    result = reports("month", "status", "--month", str(this_month().plus(1)))
    assert result.exit_code == 0, result.output
    assert f"{this_month().plus(2)} has not begun" in refused(
        "month", "status", "--month", str(this_month().plus(2))
    )


@pytest.mark.parametrize(
    ("month", "advice"),
    [
        ("2025-01", "REPORTS_FIRST_MONTH fixes where it begins"),
        (str(this_month()), "it is not over"),
        (str(this_month().plus(1)), "it is not over"),
    ],
)
def test_a_month_outside_the_window_is_refused(month: str, advice: str, sample_url: str) -> None:
    said = refused("backfill", "--month", month, "--all")
    assert f"Error: {month} is outside the window 2025-02 to " in said
    assert said.rstrip().endswith(f"; {advice}")
    assert Launches(sample_url).unlaunched() == []


def test_unknown_and_inactive_tenants_are_named(sample_url: str) -> None:
    with psycopg.connect(sample_url) as connection:
        connection.execute("update ledger.companies set status = 'left' where tenant_id = 't0004'")
    said = refused("backfill", "--month", "2025-04", "--tenant", "t0001,nobody,t0004")
    assert said == "Error: no such active tenants: nobody, t0004\n"
    assert Launches(sample_url).unlaunched() == []


@pytest.mark.parametrize(
    "choice",
    [
        [],
        ["--all", "--failed"],
        ["--all", "--tenant", "t0001"],
        ["--tenant", "t0001", "--failed"],
    ],
    ids=" ".join,
)
def test_exactly_one_choice_of_tenants_is_wanted(choice: list[str], sample_url: str) -> None:
    said = refused("backfill", "--month", "2025-04", *choice)
    assert "Error: Name one of --tenant, --all and --failed." in said
    assert Launches(sample_url).unlaunched() == []


@pytest.mark.parametrize("nobody", ["", " , "])
def test_an_empty_list_of_tenants_is_no_choice(nobody: str, sample_url: str) -> None:
    said = refused("backfill", "--month", "2025-04", "--all", "--tenant", nobody)
    assert "Invalid value for '--tenant': names no tenant" in said
    assert Launches(sample_url).unlaunched() == []


def test_a_bad_setting_is_named() -> None:
    with mock.patch.dict(os.environ, {"REPORTS_TENANTS_PER_RUN": "many"}):
        said = refused("month", "status", "--month", "2025-04")
    assert said == "Error: REPORTS_TENANTS_PER_RUN: must be a whole number from 1\n"


@pytest.mark.parametrize("wait", [[], ["--wait"]], ids=["", "wait"])
def test_without_a_daemon_the_launch_is_written_down_and_the_error_says_so(
    wait: list[str], sample_url: str
) -> None:
    tenants = ["--tenant", " t0003, t0001,,", "--tenant", "t0002 ,t0001"]
    said = refused("backfill", "--month", "2025-04", *tenants, *wait)
    [launch] = Launches(sample_url).unlaunched()
    assert launch.month == APRIL
    assert sorted(t for batch in launch.batches for t in batch) == ["t0001", "t0002", "t0003"]
    assert said == (
        f"{launch.launch_id}: 3 tenants in 2 runs\n"
        f"Error: {launch.launch_id} is written down. No Dagster daemon is running, so nothing "
        "will start the runs: start `reports dev`, or on AWS the service `daemon`.\n"
    )


def test_every_launch_has_an_id_of_its_own(sample_url: str) -> None:
    for _ in range(2):
        refused("backfill", "--month", "2025-04", "--all")
    ids = [launch.launch_id for launch in Launches(sample_url).unlaunched()]
    assert len(set(ids)) == 2
    assert all(re.fullmatch(r"backfill-2025-04-\d{8}-\d{6}-[0-9a-f]{4}", id_) for id_ in ids)


def test_whether_all_tenants_are_verified_is_written_down(sample_url: str) -> None:
    for options in ([], ["--verify-all"]):
        refused("backfill", "--month", "2025-04", "--all", *options)
    launches = Launches(sample_url).unlaunched()
    assert [launch.verify_all for launch in launches] == [False, True]


@pytest.fixture
def outcomes(sample_url: str) -> StageOutcomes:
    """t0002 has an unbalanced ledger, t0003 nobody to mail to; nobody asked for the rest."""
    outcomes = StageOutcomes(sample_url)
    unbalanced = TenantFailure("t0002", FailureCode.LEDGER_IMBALANCE, {"difference": 3})
    outcomes.record("ledger_extracts", APRIL, "run", {"t0003": "extract.arrow"}, [unbalanced])
    nobody = TenantFailure("t0003", FailureCode.NO_RECIPIENT)
    outcomes.record("report_deliveries", APRIL, "run", {}, [nobody])
    return outcomes


@pytest.mark.usefixtures("outcomes")
def test_the_failed_tenants_are_launched_again(sample_url: str) -> None:
    refused("backfill", "--month", "2025-04", "--failed")
    [launch] = Launches(sample_url).unlaunched()
    assert launch.batches == (("t0002", "t0003"),)


@pytest.mark.usefixtures("outcomes")
def test_so_are_those_whose_run_died_before_it_left_anything(sample_url: str) -> None:
    launches = Launches(sample_url)
    launches.request(Launch("backfill-1", APRIL, (("t0004", "t0005"),)), requested_by="sato")
    launches.mark_launched(["backfill-1"])
    refused("backfill", "--month", "2025-04", "--failed")
    [launch] = launches.unlaunched()
    assert sorted(t for batch in launch.batches for t in batch) == [
        "t0002",
        "t0003",
        "t0004",
        "t0005",
    ]


@pytest.mark.usefixtures("outcomes")
def test_who_is_asked_for_already_is_not_launched_beside_it(sample_url: str) -> None:
    refused("backfill", "--month", "2025-04", "--failed")
    result = reports("backfill", "--month", "2025-04", "--failed")
    assert (result.exit_code, result.output) == (
        0,
        "left alone, a run of them is under way: t0002, t0003\n2025-04: no tenant to launch.\n",
    )
    assert len(Launches(sample_url).unlaunched()) == 1


@pytest.mark.usefixtures("outcomes")
def test_a_tenant_that_failed_and_left_is_not_launched_again(sample_url: str) -> None:
    with psycopg.connect(sample_url) as connection:
        connection.execute("update ledger.companies set status = 'left' where tenant_id = 't0002'")
    refused("backfill", "--month", "2025-04", "--failed")
    [launch] = Launches(sample_url).unlaunched()
    assert launch.batches == (("t0003",),)


def test_where_nobody_failed_nothing_is_launched(sample_url: str) -> None:
    result = reports("backfill", "--month", "2025-04", "--failed")
    assert (result.exit_code, result.output) == (0, "2025-04: no tenant to launch.\n")
    assert Launches(sample_url).unlaunched() == []


def test_the_address_of_the_database_is_printed(sample_url: str) -> None:
    assert reports("database-url").output == f"{sample_url}\n"


def test_a_command_runs_where_dagster_knows_all_tenants(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[list[str]] = []

    def run_command(environment: object, command: list[str]) -> int:
        seen.append(list(command))
        with dg.DagsterInstance.get() as instance:
            assert sorted(instance.get_dynamic_partitions("tenant")) == TENANTS
        return 5

    monkeypatch.setattr("reports_pipeline.cli.run_command", run_command)
    result = reports("exec", "--", sys.executable, "-m", "dagster", "--version")
    assert result.exit_code == 5, result.exception
    assert seen == [[sys.executable, "-m", "dagster", "--version"]]
