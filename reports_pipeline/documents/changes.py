"""How the changes that a correction makes are written."""

from __future__ import annotations

from dataclasses import dataclass

from reports_pipeline.accounting.corrections import COMPANY, EXPENSE_CLAIMS
from reports_pipeline.accounting.money import minor_unit_exponent
from reports_pipeline.accounting.periods import Month
from reports_pipeline.accounting.reports import LineChange, StatementKind
from reports_pipeline.documents.catalogs import Catalog, catalog
from reports_pipeline.documents.formats import NOTHING, currency_name, format_amount, format_day

_TREND = "trend."
# What a balance sheet calls its columns.
_BALANCES = {
    "current": "column.month_end",
    "prior": "column.prior_month_end",
    "prior_year": "column.prior_year_end",
}
_COLUMNS = {"current": "column.month", "prior": "column.prior_month", "label": "column.account"}
# Facts of a company whose values are words of ours.
_WORDED = {
    "language": "change.language.{}",
    "closed": "change.month.{}",
    "consumption_tax_basis": "tax.{}",
    "display_unit": "change.unit.{}",
}


@dataclass(frozen=True, slots=True)
class ChangeText:
    """A change in words: `月次損益計算書`, `売上高`, `当月`, `1,000`, `1,200`.

    Facts of the company have no column.
    """

    report: str
    label: str
    column: str
    before: str
    after: str


def change_text(change: LineChange, *, language: str, currency: str) -> ChangeText:
    """The change as a reader of `language` reads it; amounts are of `currency`, in full."""
    texts = catalog(language)

    def value(of: int | str | None) -> str:
        if of is None:
            return NOTHING
        if isinstance(of, int):
            return format_amount(of, minor_unit_exponent(currency))
        if change.statement == COMPANY and change.key in _WORDED:
            return texts.text(
                _WORDED[change.key].format(of), currency=currency_name(currency, language)
            )
        if change.statement == EXPENSE_CLAIMS and change.column == "status":
            return texts.text(f"status.{of}")
        return of

    if change.statement == COMPANY:
        report, label, column = texts.text("change.company"), texts.text(f"change.{change.key}"), ""
    else:
        report = texts.text(f"report.{change.statement}")
        label = change.label or texts.text(change.key)
        column = _column(change, texts)
    return ChangeText(report, label, column, value(change.before), value(change.after))


def _column(change: LineChange, texts: Catalog) -> str:
    if change.column.startswith(_TREND):
        month = Month.parse(change.column.removeprefix(_TREND))
        return format_day(month.start, "pattern.file_month", texts.language)
    if change.statement == StatementKind.BALANCE_SHEET and change.column in _BALANCES:
        return texts.text(_BALANCES[change.column])
    return texts.text(_COLUMNS.get(change.column, f"column.{change.column}"))
