"""`reports accounts …` as it is typed."""

from __future__ import annotations

import psycopg
import pytest
from click.testing import CliRunner, Result

from reports_pipeline.accounting.accounts import AccountClass
from reports_pipeline.accounting.periods import Month
from reports_pipeline.accounts_cli import accounts
from reports_pipeline.environments import LocalEnvironment, Settings
from reports_pipeline.operator_name import operator_name
from reports_pipeline.tokyo import last_month, this_month
from resources.ledger import PostgresLedger
from tests.reports_pipeline.replicas import made_read_only
from tests.sample_ledgers import APRIL, sample_database

MARCH = APRIL.plus(-1)


@pytest.fixture
def url(postgres_server: str) -> str:
    """A sample in which nobody has said what 仮払金 of t0001 is, nor an account without a
    customary name."""
    url = sample_database(postgres_server)
    with psycopg.connect(url) as connection:
        connection.execute(
            "update ledger.accounts set account_class = null"
            " where tenant_id = 't0001' and account_code = '1450'"
        )
        connection.execute("insert into ledger.accounts values ('t0001', '14 55', '謎の勘定')")
    return url


def environment(url: str) -> LocalEnvironment:
    return LocalEnvironment(Settings.from_environment({"REPORTS_LEDGER_URL": url}))


def run(url: str, *arguments: str) -> Result:
    return CliRunner().invoke(accounts, arguments, obj=environment(url))


def map_account(url: str, account_code: str, account_class: str, *options: str) -> Result:
    command = ["map", "--tenant", "t0001", "--account", account_code, "--class", account_class]
    return run(url, *command, *options)


def class_in(url: str, month: Month, account_code: str) -> str:
    extract, _ = PostgresLedger(url).extract(month, ["t0001"])
    [account_class] = extract.accounts.query("account_code == @account_code")["account_class"]
    return str(account_class)


def test_unmapped_accounts_are_listed_with_the_command_that_maps_them(url: str) -> None:
    result = run(url, "list", "--tenant", "t0001", "--unmapped")
    assert result.exit_code == 0, result.output
    head, *lines = result.output.splitlines()
    assert head == f"t0001, as the reports of {last_month()} take them"
    assert [line.split() for line in lines[::2]] == [
        ["unmapped", "nobody", "has", "said", "14", "55", "謎の勘定"],
        ["unmapped", "nobody", "has", "said", "1450", "仮払金"],
    ]
    assert lines[1::2] == [
        "  reports accounts map --tenant t0001 --account '14 55' --class CLASS",
        "  reports accounts map --tenant t0001 --account 1450 --class other_current_assets",
    ]


def test_an_account_is_mapped_for_all_months(url: str) -> None:
    result = map_account(url, "1450", "other_current_assets")
    assert result.exit_code == 0, result.output
    assert result.output == (
        "t0001: 1450 仮払金 is other_current_assets (その他の流動資産) for all months;"
        " it was unmapped\n"
    )
    assert class_in(url, MARCH, "1450") == class_in(url, APRIL, "1450") == "other_current_assets"
    assert map_account(url, "14 55", "net_sales").exit_code == 0
    listed = run(url, "list", "--tenant", "t0001", "--unmapped")
    assert listed.output.splitlines()[1:] == ["every account has a class"]


def test_a_mapping_holds_from_its_month_on(url: str) -> None:
    assert map_account(url, "6490", "extraordinary_losses", "--from", "2025-04").exit_code == 0
    assert class_in(url, MARCH, "6490") == "selling_general_administrative"
    assert class_in(url, APRIL, "6490") == "extraordinary_losses"
    assert class_in(url, APRIL.plus(1), "6490") == "extraordinary_losses"


def test_what_a_class_from_this_month_on_leaves_open_is_listed(url: str) -> None:
    """The reports that are made now are those of last month."""
    for code in ("1450", "14 55"):
        mapped = map_account(url, code, "other_current_assets", "--from", str(this_month()))
        assert mapped.exit_code == 0, mapped.output
    unmapped = ["list", "--tenant", "t0001", "--unmapped"]
    assert "1450" in run(url, *unmapped).output
    listed = run(url, *unmapped, "--month", str(this_month()))
    assert listed.output.splitlines() == [
        f"t0001, as the reports of {this_month()} take them",
        "every account has a class",
    ]


def test_a_ledger_that_is_read_only_is_named(url: str) -> None:
    result = map_account(made_read_only(url), "1450", "other_current_assets")
    assert result.exit_code == 1
    assert result.output == (
        "Error: REPORTS_LEDGER_URL is read-only; name the primary for this command\n"
    )


def test_a_list_tells_since_when_and_by_whom(url: str) -> None:
    map_account(url, "6490", "extraordinary_losses", "--from", "2025-04")
    for month, row in {
        "2025-03": ["selling_general_administrative", "chart", "6490", "雑費"],
        "2025-04": ["extraordinary_losses", "from", "2025-04,", operator_name(), "6490", "雑費"],
    }.items():
        listed = run(url, "list", "--tenant", "t0001", "--month", month)
        assert row in [line.split() for line in listed.output.splitlines()]


def test_what_was_said_for_later_months_is_replaced(url: str) -> None:
    map_account(url, "6490", "extraordinary_losses", "--from", "2025-04")
    result = map_account(url, "6490", "non_operating_expenses")
    assert result.output.splitlines()[1] == "replaced: extraordinary_losses, from 2025-04"
    assert class_in(url, APRIL, "6490") == "non_operating_expenses"


@pytest.mark.parametrize(
    ("account_code", "account_class"),
    [
        ("1430", "cash_and_deposits"),
        ("3220", "retained_earnings_brought_forward"),
        ("1120", "other_current_assets"),
        ("3230", "other_retained_earnings"),
    ],
)
def test_what_balances_are_kept_by_holds_for_all_months(
    url: str, account_code: str, account_class: str
) -> None:
    before = class_in(url, APRIL, account_code)
    result = map_account(url, account_code, account_class, "--from", "2025-04")
    assert result.exit_code == 1
    assert "holds for all months" in result.output
    assert class_in(url, APRIL, account_code) == before


def test_an_account_that_becomes_cash_has_its_balances_refreshed(url: str) -> None:
    result = map_account(url, "1210", "cash_and_deposits")
    assert result.exit_code == 0, result.output
    assert result.output.splitlines()[-1] == "balances refreshed: 2025-02, 2025-03, 2025-04"
    for month in (MARCH, APRIL):
        extract, failures = PostgresLedger(url).extract(month, ["t0001"])
        assert failures == []
        assert "1210" not in set(extract.cash_flows["account_code"])


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"--tenant": "nobody"}, "no such tenants: nobody"),
        ({"--account": "9999"}, "t0001 has no account '9999'"),
        ({"--class": "net_sale"}, "did you mean net_sales?"),
        ({"--class": "売上"}, "did you mean net_sales?"),
        ({"--class": "xyz"}, "there is no class 'xyz'"),
        ({"--from": "2025-13"}, "no such month"),
    ],
)
def test_what_does_not_exist_is_named(url: str, options: dict[str, str], reason: str) -> None:
    given = {"--tenant": "t0001", "--account": "1450", "--class": "net_sales", **options}
    result = run(url, "map", *(word for option in given.items() for word in option))
    assert result.exit_code != 0
    assert reason in result.output
    if "--class" in options:
        assert "  retained_earnings_brought_forward   繰越利益剰余金\n" in result.output


def test_an_unknown_tenant_has_no_list(url: str) -> None:
    assert "no such tenants: nobody" in run(url, "list", "--tenant", "nobody").output


def test_every_class_is_listed_with_its_names() -> None:
    output = run("", "classes").output
    assert "current_assets  流動資産 / Current assets\n" in output
    assert "  trade_receivables                   売上債権 / Trade receivables\n" in output
    listed = [line.split()[0] for line in output.splitlines() if line.startswith(" ")]
    assert listed == list(AccountClass)
