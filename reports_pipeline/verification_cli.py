"""`reports statement` and `reports verify`: a tenant's figures, and whether others agree."""

from __future__ import annotations

import dataclasses
import itertools
import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import click

from reports_pipeline.accounting.assembly import numbers_hash
from reports_pipeline.accounting.failures import TenantFailure
from reports_pipeline.accounting.ledger import LedgerExtract
from reports_pipeline.accounting.money import minor_unit_exponent
from reports_pipeline.accounting.periods import Month
from reports_pipeline.accounting.reports import LineKind, StatementLine, TenantReports
from reports_pipeline.accounting.statement_layout import AMOUNT_COLUMNS
from reports_pipeline.command_line import month_option, tenant_option, tenants_option
from reports_pipeline.documents.catalogs import catalog
from reports_pipeline.documents.formats import NOTHING, format_amount
from reports_pipeline.environments import Environment
from reports_pipeline.fresh_reports import coded_text, fresh_reports
from resources.accounting_engines import (
    AccountingEngine,
    BeancountEngine,
    EngineNotInstalledError,
    HledgerEngine,
)
from resources.journal import Journals
from resources.transient_errors import TRANSIENT_ERRORS
from resources.verification import StatementVerifier, Verdict, in_drawn_order

_ENGINES: Mapping[str, Callable[[], AccountingEngine]] = {
    engine.name: engine for engine in (HledgerEngine, BeancountEngine)
}
_TENANTS_A_BATCH = 100


@click.command(name="statement")
@tenant_option
@month_option
@click.option("--json", "as_json", is_flag=True, help="JSON, with the 12-month trends.")
@click.pass_obj
def show_statement(environment: Environment, tenant_id: str, month: Month, as_json: bool) -> None:
    """Print every line of a tenant's statements, computed afresh from the ledger."""
    _, found = fresh_reports(environment.ledger(), month, [tenant_id])
    made = found[tenant_id]
    if isinstance(made, TenantFailure):
        raise click.ClickException(coded_text(made))
    if as_json:
        click.echo(json.dumps(_statement_document(made), ensure_ascii=False, indent=1))
    else:
        for text in _statement_table(made):
            click.echo(text)


@click.command(name="verify")
@month_option
@tenants_option
@click.option(
    "--sample", type=click.IntRange(1), help="So many tenants, the same ones for the same month."
)
@click.option(
    "--engine",
    "engine_name",
    type=click.Choice(list(_ENGINES)),
    default="hledger",
    show_default=True,
)
@click.option("--json", "as_json", is_flag=True, help="JSON, when all tenants are done.")
@click.pass_obj
def verify_month(
    environment: Environment,
    month: Month,
    tenants: tuple[str, ...],
    sample: int | None,
    engine_name: str,
    as_json: bool,
) -> None:
    """Let an accounting program of others compute a month, and compare.

    Every active tenant unless some are named or sampled. The exit code is 0 if all figures agree,
    1 if one differs or a tenant cannot be computed, 2 if the program is not installed.
    """
    try:
        engine = _ENGINES[engine_name]()
    except EngineNotInstalledError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(2)
    tenant_ids = list(tenants) or environment.tenants().active_ids()
    if sample is not None:
        tenant_ids = sorted(in_drawn_order(month, tenant_ids)[:sample])
    if not tenant_ids:
        raise click.ClickException("there is no tenant to verify")
    verdicts = []
    for verdict in _verdicts(environment, engine, month, tenant_ids):
        verdicts.append(verdict)
        if not as_json:
            for text in _verdict_table(verdict):
                click.echo(text)
        if verdict.traceback:
            click.echo(verdict.traceback, err=True)
    if as_json:
        document = {
            "month": str(month),
            "engine": engine_name,
            "tenants": [_verdict_document(verdict) for verdict in verdicts],
        }
        click.echo(json.dumps(document, ensure_ascii=False, indent=1))
    else:
        counts = Counter(map(_result, verdicts))
        click.echo(", ".join(f"{count} {result}" for result, count in counts.items()))
    sys.exit(1 if any(_result(verdict) != "ok" for verdict in verdicts) else 0)


def _label(line: StatementLine, language: str) -> str:
    return line.label or catalog(language).text(line.key)


def _statement_document(reports: TenantReports) -> dict[str, Any]:
    """The document that docs/runbook.md describes; a heading has no amounts and no trend."""
    company = reports.company
    return {
        "company": dataclasses.asdict(company),
        "currency": company.currency,
        "decimals": minor_unit_exponent(company.currency),
        "month": str(reports.month),
        "closed": company.closed,
        "numbers_hash": numbers_hash(reports),
        "lines": [
            {
                "statement": statement.kind,
                "position": position,
                "key": line.key,
                "label": _label(line, company.language),
                "kind": line.kind,
                "level": line.level,
                **{column: getattr(line, column) for column in AMOUNT_COLUMNS},
                "trend": None if line.kind is LineKind.HEADING else line.trend,
            }
            for statement in reports.statements
            for position, line in enumerate(statement.lines)
        ],
    }


def _statement_table(reports: TenantReports) -> Iterator[str]:
    """Amounts stand before names, whose characters are of different widths."""
    company = reports.company
    exponent = minor_unit_exponent(company.currency)
    state = "closed" if company.closed else "provisional"
    yield f"{company.tenant_id}  {company.name}  {reports.month} ({state})  {company.currency}"
    yield f"numbers_hash {numbers_hash(reports)}"
    for statement in reports.statements:
        yield ""
        yield catalog(company.language).text(f"report.{statement.kind}")
        yield "".join(f"{column:>20}" for column in AMOUNT_COLUMNS)
        for line in statement.lines:
            amounts = "".join(
                f"{_amount(getattr(line, column), line.kind, exponent):>20}"
                for column in AMOUNT_COLUMNS
            )
            yield f"{amounts}  {'  ' * line.level}{_label(line, company.language)}"


def _amount(minor: int | None, kind: LineKind, exponent: int) -> str:
    if minor is None:
        return "" if kind is LineKind.HEADING else NOTHING
    return format_amount(minor, exponent)


def _result(verdict: Verdict) -> str:
    if isinstance(verdict.outcome, str):
        return "failed"
    return "different" if verdict.differences else "ok"


def _verdict_document(verdict: Verdict) -> dict[str, Any]:
    """The entry of docs/runbook.md; amounts in minor units."""
    document: dict[str, Any] = {"tenant_id": verdict.tenant_id, "result": _result(verdict)}
    if isinstance(verdict.outcome, str):
        return document | {"reason": verdict.outcome}
    return document | {
        "compared": verdict.outcome.compared,
        "differences": [
            dataclasses.asdict(difference) | {"difference": difference.difference}
            for difference in verdict.differences
        ],
    }


def _verdicts(
    environment: Environment,
    engine: AccountingEngine,
    month: Month,
    tenant_ids: Sequence[str],
) -> Iterator[Verdict]:
    """In the order of the tenants, each as soon as it and those before it are done."""
    ledger = environment.ledger()
    verifier = StatementVerifier(engine, Journals(environment.ledger_url), ledger)

    def verdict(
        tenant_id: str, made: TenantReports | TenantFailure, extract: LedgerExtract
    ) -> Verdict:
        if isinstance(made, TenantFailure):
            return Verdict(tenant_id, engine.name, coded_text(made))
        try:
            return verifier.verdict(made, extract)
        except TRANSIENT_ERRORS as error:  # whoever typed the command tries again
            return Verdict(tenant_id, engine.name, f"{type(error).__name__}: {error}")

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for first in range(0, len(tenant_ids), _TENANTS_A_BATCH):
            batch = tenant_ids[first : first + _TENANTS_A_BATCH]
            extract, found = fresh_reports(ledger, month, batch)
            made = [found[tenant_id] for tenant_id in batch]
            yield from pool.map(verdict, batch, made, itertools.repeat(extract))


def _verdict_table(verdict: Verdict) -> Iterator[str]:
    outcome = verdict.outcome
    if isinstance(outcome, str):
        yield f"{verdict.tenant_id}: failed: {outcome}"
        return
    yield f"{verdict.tenant_id}: {_result(verdict)}, {outcome.compared} figures compared"
    if verdict.differences:
        yield _difference_row("", "ours", verdict.engine, "difference", "line")
    for difference in verdict.differences:
        ours, theirs, over = map(
            verdict.amount, (difference.ours, difference.theirs, difference.difference)
        )
        yield _difference_row(difference.what, ours, theirs, over, difference.line)


def _difference_row(what: str, ours: str, theirs: str, difference: str, line: str) -> str:
    return f"  {what:30}{ours:>20}{theirs:>20}{difference:>20}  {line}"
