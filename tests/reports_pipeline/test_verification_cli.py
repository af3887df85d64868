"""`reports statement` and `reports verify` as they are typed."""

from __future__ import annotations

import dataclasses
import datetime
import itertools
import json
import re
from collections.abc import Callable, Collection, Iterable, Sequence

import psycopg
import pytest
from click.testing import CliRunner, Result

from reports_pipeline.accounting.charts import Account
from reports_pipeline.accounting.failures import TenantFailure
from reports_pipeline.accounting.journal import EntryKind, JournalEntry, JournalLine
from reports_pipeline.accounting.ledger import LedgerExtract
from reports_pipeline.accounting.periods import Month
from reports_pipeline.accounting.reports import Company
from reports_pipeline.accounting.verification import EngineFigures
from reports_pipeline.cli import main
from reports_pipeline.environments import LocalEnvironment, Settings
from reports_pipeline.verification_cli import show_statement, verify_month
from resources.accounting_engines import BeancountEngine
from resources.database import create_database
from resources.ledger import Ledger, PostgresLedger
from resources.ledger_imports.beancount_import import convert_beancount, read_beancount
from resources.ledger_imports.chart_files import ImportedAccount
from resources.ledger_imports.tenant_ledgers import TenantLedger, TenantSettings, import_ledger
from resources.ledger_loading import load_ledger
from resources.sample_ledger import SampleScale, sample_ledger
from tests.accounting.sakura import APRIL, MAY, SAKURA
from tests.beancount_example import beancount_example
from tests.programs import require_program
from tests.resources.engines import ENGINES
from tests.sample_ledgers import TENANTS, sample_database


@pytest.fixture(scope="module")
def sound_url(postgres_server: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The five companies of the sample, with さくら商店, a household and a company in Kuwait."""
    url = sample_database(postgres_server)
    accounts = tuple(map(ImportedAccount.of, SAKURA.accounts))
    sakura = TenantLedger(accounts, tuple(SAKURA.entries))
    settings = TenantSettings("sakura", SAKURA.company.name)
    import_ledger(url, settings, sakura, closed_through=MAY)
    kuwait = TenantLedger(accounts, tuple(map(in_fils, SAKURA.entries)))
    settings = TenantSettings(
        "kuwait", "Kuwait Branch", language="en", currency="KWD", fiscal_year_start_month=1
    )
    import_ledger(url, settings, kuwait, closed_through=APRIL)
    household = convert_beancount(
        read_beancount(beancount_example(tmp_path_factory.mktemp("beancount"))),
        currency="USD",
        cash_accounts=["Assets:US:BofA"],
    )
    settings = TenantSettings(
        "household", "Household", language="en", currency="USD", fiscal_year_start_month=1
    )
    import_ledger(url, settings, household, closed_through=MAY)
    return url


def in_fils(entry: JournalEntry) -> JournalEntry:
    """The entry with amounts that have three decimals."""
    lines = (JournalLine(line.account_code, line.amount // 1000 * 1003) for line in entry.lines)
    return dataclasses.replace(entry, lines=tuple(lines))


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    if name == "hledger":
        require_program(name)
    return name


def environment(url: str) -> LocalEnvironment:
    return LocalEnvironment(Settings.from_environment({"REPORTS_DATABASE_URL": url}))


def statement(url: str, tenant_id: str, month: str, *options: str) -> Result:
    arguments = ["--tenant", tenant_id, "--month", month, *options]
    return CliRunner().invoke(show_statement, arguments, obj=environment(url))


def verify(of: str | LocalEnvironment, month: str, *options: str) -> Result:
    obj = environment(of) if isinstance(of, str) else of
    return CliRunner().invoke(verify_month, ["--month", month, *options], obj=obj)


def change(url: str, statement: str, rows: int = 1) -> None:
    with psycopg.connect(url) as connection:
        assert connection.execute(statement).rowcount == rows


def test_the_commands_belong_to_reports() -> None:
    assert main.commands["statement"] is show_statement
    assert main.commands["verify"] is verify_month


def test_a_statement_as_json_has_every_line_and_column(sound_url: str) -> None:
    result = statement(sound_url, "sakura", "2026-05", "--json")
    assert result.exit_code == 0, result.output
    document = json.loads(result.output)
    assert list(document) == [
        "company", "currency", "decimals", "month", "closed", "numbers_hash", "lines",
    ]  # fmt: skip
    assert document["company"]["name"] == "株式会社さくら商店"
    assert document["currency"] == "JPY"
    assert document["decimals"] == 0
    assert document["month"] == "2026-05"
    assert document["closed"] is True
    assert len(document["numbers_hash"]) == 64

    lines = {(line["statement"], line["position"]): line for line in document["lines"]}
    assert len(lines) == len(document["lines"])
    assert {statement for statement, _ in lines} == {
        "income_statement", "balance_sheet", "expense_analysis", "cash_flow",
        "indirect_cash_flow",
    }  # fmt: skip
    assert lines["income_statement", 0] == {
        "statement": "income_statement", "position": 0, "key": "net_sales", "label": "売上高",
        "kind": "heading", "level": 0, "current": None, "prior": None, "prior_year": None,
        "year_to_date": None, "opening": None, "trend": None,
    }  # fmt: skip
    [loan] = [line for line in document["lines"] if line["key"] == "account:2510"][:1]
    assert loan == {
        "statement": "balance_sheet", "position": loan["position"], "key": "account:2510",
        "label": "長期借入金", "kind": "account", "level": 2, "current": 2_000_000,
        "prior": 2_000_000, "prior_year": 0, "year_to_date": None, "opening": 0,
        "trend": [0] * 10 + [2_000_000] * 2,
    }  # fmt: skip


def test_a_statement_as_a_table_has_formatted_amounts_and_the_companys_language(
    sound_url: str,
) -> None:
    result = statement(sound_url, "kuwait", "2026-05")
    assert result.exit_code == 0, result.output
    assert "kuwait  Kuwait Branch  2026-05 (provisional)  KWD" in result.output
    rows = [row.split() for row in result.output.splitlines()]
    # its fiscal year began in January and has the rent of March
    assert ["△361.080", "992.970", "0.000", "431.290", "—", "Net", "profit"] in rows
    result = statement(sound_url, "sakura", "2026-05")
    rows = [row.split() for row in result.output.splitlines()]
    assert ["月次貸借対照表"] in rows
    assert ["△360,000", "990,000", "0", "630,000", "—", "当期純利益"] in rows


@pytest.mark.parametrize("command", [statement, lambda *a: verify(a[0], a[2], "--tenant", a[1])])
@pytest.mark.parametrize(
    ("tenant_id", "said"),
    [("nobody", "UNKNOWN_TENANT: テナント nobody"), ("No-Body", "not a tenant id: 'No-Body'")],
)
def test_an_unknown_tenant_is_named(
    sound_url: str, command: Callable[[str, str, str], Result], tenant_id: str, said: str
) -> None:
    result = command(sound_url, tenant_id, "2025-04")
    assert result.exit_code == 1
    assert said in result.output


@pytest.mark.parametrize("command", [statement, lambda *a: verify(a[0], a[2], "--tenant", a[1])])
def test_a_ledger_that_cannot_be_reported_on_is_explained(
    postgres_server: str, command: Callable[[str, str, str], Result]
) -> None:
    url = sample_database(postgres_server)
    change(
        url,
        "update ledger.balance_snapshots set debit = debit + 5"
        " where tenant_id = 't0005' and month = '2025-04-01' and account_code = '4110'",
    )
    result = command(url, "t0005", "2025-04")
    assert result.exit_code == 1
    assert "SNAPSHOT_MISMATCH: " in result.output
    assert "account_code=4110" in result.output


def test_tenants_of_all_kinds_agree(sound_url: str, engine: str) -> None:
    result = verify(sound_url, "2025-04", "--engine", engine)
    assert result.exit_code == 0, result.output
    for tenant_id in [*TENANTS, "household", "kuwait", "sakura"]:
        assert f"{tenant_id}: ok, " in result.output
    assert result.output.endswith("8 ok\n")


@pytest.mark.parametrize("month", ["2025-12", "2026-03", "2026-04", "2026-05"])
def test_months_around_the_years_end_agree(sound_url: str, engine: str, month: str) -> None:
    named = ["--tenant", "sakura", "--tenant", "kuwait", "--tenant", "household"]
    result = verify(sound_url, month, *named, "--engine", engine, "--json")
    assert result.exit_code == 0, result.output
    document = json.loads(result.output)
    assert document["month"] == month
    assert document["engine"] == engine
    tenants = document["tenants"]
    assert [tenant["tenant_id"] for tenant in tenants] == ["sakura", "kuwait", "household"]
    assert all(tenant["compared"] > 0 for tenant in tenants)
    assert [tenant["differences"] for tenant in tenants] == [[], [], []]


def test_a_posting_changed_in_an_earlier_month_is_found(postgres_server: str, engine: str) -> None:
    """The snapshots of March are older than its lines, and the mark that says so was lost: nothing
    else can find it in April."""
    url = sample_database(postgres_server)
    entry = (
        "tenant_id = 't0004' and posted_on >= '2025-03-01' and posted_on < '2025-04-01'"
        " and entry_id = (select min(entry_id) from ledger.journal_lines"
        " where tenant_id = 't0004' and posted_on >= '2025-03-01' and status = 'posted')"
    )
    with psycopg.connect(url) as connection:
        [debited] = connection.execute(
            "update ledger.journal_lines set debit = debit + 700"
            f" where {entry} and debit > 0 and line_no = (select min(line_no)"
            f" from ledger.journal_lines where {entry} and debit > 0) returning account_code"
        ).fetchall()
        [credited] = connection.execute(
            "update ledger.journal_lines set credit = credit + 700"
            f" where {entry} and credit > 0 and line_no = (select min(line_no)"
            f" from ledger.journal_lines where {entry} and credit > 0) returning account_code"
        ).fetchall()
        connection.execute("delete from ledger.stale_snapshots")
    result = verify(url, "2025-04", "--engine", engine, "--json")
    assert result.exit_code == 1
    tenants = {tenant["tenant_id"]: tenant for tenant in json.loads(result.output)["tenants"]}
    assert {t: tenant["result"] for t, tenant in tenants.items()} == {
        tenant_id: "different" if tenant_id == "t0004" else "ok" for tenant_id in TENANTS
    }
    found = tenants["t0004"]["differences"]
    assert {abs(difference["difference"]) for difference in found} == {700}
    assert {debited[0], credited[0]} & {
        difference["line"].rpartition(":")[2] for difference in found
    }


class ChangedLedger(LocalEnvironment):
    """An environment whose ledger changes what it has extracted, or what stands in the database
    after that."""

    def __init__(self, url: str, change: Callable[[LedgerExtract], None]) -> None:
        super().__init__(Settings.from_environment({"REPORTS_DATABASE_URL": url}))
        self._change = change

    def ledger(self) -> Ledger:
        change = self._change

        class Changed(PostgresLedger):
            def extract(
                self, month: Month, tenant_ids: Sequence[str]
            ) -> tuple[LedgerExtract, list[TenantFailure]]:
                extract, failures = super().extract(month, tenant_ids)
                change(extract)
                return extract, failures

        return Changed(self.ledger_url)


def test_a_posting_that_we_lose_is_found(sound_url: str, engine: str) -> None:
    def lose_rent(extract: LedgerExtract) -> None:
        for table, account, column in (
            ("movements", "6310", "debit"),
            ("movements", "1120", "credit"),
            ("cash_flows", "6310", "outflow"),
        ):
            frame = getattr(extract, table)
            in_april = frame["month"] == Month(2025, 4).ordinal
            row = in_april & (frame["account_code"] == account)
            assert row.sum() == 1
            frame.loc[row, column] -= 880

    result = verify(
        ChangedLedger(sound_url, lose_rent), "2025-04", "--tenant", "t0001", "--engine", engine
    )
    assert result.exit_code == 1
    rows = [row.split() for row in result.output.splitlines()]
    assert rows[0][:2] == ["t0001:", "different,"]
    assert rows[1] == ["ours", engine, "difference", "line"]
    differences = {(row[0], row[-1]): row[-2] for row in rows[2:-1]}
    assert differences["income_statement.current", "account:6310"] == "△880"
    assert differences["balance_sheet.current", "account:1120"] == "880"
    assert differences["balance_sheet.current", "net_profit_for_year"] == "880"
    assert differences["cash_flow.current", "total_outflows"] == "△880"
    assert rows[-1] == ["1", "different"]


def test_a_posting_made_after_the_extract_is_no_difference(postgres_server: str) -> None:
    url = sample_database(postgres_server)
    extracts = itertools.count()

    def pay_rent_again(_: LedgerExtract) -> None:
        if next(extracts):
            return
        change(
            url,
            "insert into ledger.journal_entries (tenant_id, posted_on, entry_id, currency)"
            " values ('t0001', '2025-04-30', 99999, 'JPY')",
        )
        change(
            url,
            "insert into ledger.journal_lines"
            " (tenant_id, posted_on, entry_id, line_no, account_code, debit, credit) values"
            " ('t0001', '2025-04-30', 99999, 1, '6310', 880, 0),"
            " ('t0001', '2025-04-30', 99999, 2, '1120', 0, 880)",
            rows=2,
        )

    result = verify(
        ChangedLedger(url, pay_rent_again), "2025-04", "--tenant", "t0001", "--engine", "beancount"
    )
    assert result.exit_code == 1
    assert re.match(r"t0001: failed: \d+ figures differ, and the ledger has changed", result.output)


@pytest.mark.parametrize(
    ("table", "columns"),
    [("movements", ["debit", "credit"]), ("cash_flows", ["inflow", "outflow"])],
)
def test_a_sign_turned_on_our_side_is_found(
    sound_url: str, engine: str, table: str, columns: list[str]
) -> None:
    def turn_april(extract: LedgerExtract) -> None:
        frame = getattr(extract, table)
        of_april = frame["month"] == APRIL.ordinal
        frame.loc[of_april, columns] = frame.loc[of_april, columns[::-1]].to_numpy()

    result = verify(
        ChangedLedger(sound_url, turn_april), "2026-05", "--tenant", "sakura", "--engine", engine
    )
    assert result.exit_code == 1
    assert "account:1550" in result.output


def test_closing_entries_in_the_middle_of_a_year_agree(postgres_server: str, engine: str) -> None:
    url = create_database(postgres_server, f"closing_{engine}", template="template_reports")
    halfway = JournalEntry(
        datetime.date(2026, 4, 30), 900, "", (JournalLine("4110", 5), JournalLine("3230", -5)),
        EntryKind.CLOSING,
    )  # fmt: skip
    ledger = TenantLedger(
        tuple(map(ImportedAccount.of, SAKURA.accounts)), (*SAKURA.entries, halfway)
    )
    import_ledger(url, TenantSettings("sakura", "Sakura"), ledger)
    result = verify(url, "2026-05", "--engine", engine)
    assert result.exit_code == 0, result.output


def test_a_missing_engine_is_named_with_its_package(
    sound_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    result = verify(sound_url, "2025-04", "--engine", "hledger")
    assert result.exit_code == 2
    assert result.output == "Error: hledger is not installed. On Debian: apt-get install hledger\n"


def test_a_journal_that_the_engine_refuses_fails_its_tenant(postgres_server: str) -> None:
    """Lines of March that disagree with their entries, and no mark that they were changed."""
    url = sample_database(postgres_server)
    with psycopg.connect(url) as connection:
        # triggers refuse and mark it, but for what is replicated
        connection.execute("set session_replication_role = replica")
        connection.execute(
            "update ledger.journal_lines set kind = 'opening' where line_no = 1"
            " and tenant_id = 't0002' and posted_on >= '2025-03-01' and posted_on < '2025-04-01'"
        )
    result = verify(
        url, "2025-04", "--tenant", "t0002", "--tenant", "t0003", "--engine", "beancount"
    )
    assert result.exit_code == 1
    assert re.search(
        r"t0002: failed: the journal is refused: 2025-03-\d\d entry \d+: Transaction does not",
        result.output,
    )
    assert "t0003: ok, " in result.output
    assert result.output.endswith("1 failed, 1 ok\n")


@pytest.mark.parametrize(
    "error",
    [RecursionError("too deep"), psycopg.OperationalError("server closed the connection")],
)
def test_an_engine_that_breaks_on_a_tenant_fails_no_other(
    sound_url: str, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    figures = BeancountEngine.figures

    def broken(
        self: BeancountEngine,
        company: Company,
        accounts: Collection[Account],
        entries: Iterable[JournalEntry],
    ) -> EngineFigures:
        if company.tenant_id == "t0002":
            raise error
        return figures(self, company, accounts, entries)

    monkeypatch.setattr(BeancountEngine, "figures", broken)
    named = [word for tenant_id in TENANTS for word in ("--tenant", tenant_id)]
    result = verify(sound_url, "2025-04", *named, "--engine", "beancount", "--json")
    assert result.exit_code == 1
    tenants = json.loads(result.stdout)["tenants"]
    assert [tenant["result"] for tenant in tenants] == ["ok", "failed", "ok", "ok", "ok"]
    assert tenants[1]["reason"] == f"{type(error).__name__}: {error}"
    # of what passes by itself nobody needs to see where
    assert ("Traceback" in result.stderr) is isinstance(error, RecursionError)


def test_an_empty_ledger_is_no_success(database_url: str) -> None:
    result = verify(database_url, "2025-04", "--engine", "beancount")
    assert result.exit_code == 1
    assert "there is no tenant to verify" in result.output


def test_a_sample_is_the_same_for_the_same_month(sound_url: str) -> None:
    chosen = [
        [
            tenant["tenant_id"]
            for tenant in json.loads(
                verify(sound_url, month, "--sample", "3", "--json", "--engine", "beancount").output
            )["tenants"]
        ]
        for month in ("2025-03", "2025-03", "2025-04")
    ]
    assert chosen[0] == chosen[1] == sorted(chosen[0])
    assert len(chosen[0]) == len(chosen[2]) == 3
    assert chosen[0] != chosen[2]


@pytest.fixture(scope="module")
def fifty_url(postgres_server: str) -> str:
    """Fifty companies of the sample, from 2025-01 to 2026-03."""
    url = create_database(postgres_server, "fifty_companies", template="template_reports")
    scale = SampleScale(tenants=50, first_month=Month(2025, 1), months=15, lines_per_month=3_000)
    load_ledger(url, sample_ledger(scale, seed=50), replace=False)
    return url


@pytest.mark.parametrize("month", ["2025-07", "2025-08", "2025-09", "2026-01"])
def test_companies_with_months_and_years_of_their_own_agree(
    fifty_url: str, engine: str, month: str
) -> None:
    """20日締め, with fiscal years that begin in January, September and April; and a fiscal year
    that was cut short to begin in August."""
    with psycopg.connect(fifty_url) as connection:
        rows = connection.execute(
            "select tenant_id, companies.closing_day, first_month::text from ledger.companies"
            " left join ledger.fiscal_year_changes using (tenant_id)"
            " where companies.closing_day = 20 or first_month is not null order by tenant_id"
        ).fetchall()
    assert rows == [
        ("t0004", 31, "2025-08-01"), ("t0036", 20, None), ("t0038", 20, None),
        ("t0040", 20, None),
    ]  # fmt: skip
    named = [word for tenant_id, *_ in rows for word in ("--tenant", tenant_id)]
    result = verify(fifty_url, month, *named, "--engine", engine)
    assert result.exit_code == 0, result.output
    assert result.output.endswith("4 ok\n")


def test_fifty_companies_agree(fifty_url: str) -> None:
    require_program("hledger")
    result = verify(fifty_url, "2026-03")
    assert result.exit_code == 0, result.output
    assert result.output.endswith("50 ok\n")
