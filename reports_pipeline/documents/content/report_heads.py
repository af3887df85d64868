"""What every report says of itself: its company, month and edition, and the unit of amounts."""

from __future__ import annotations

import datetime
import functools

from reports_pipeline.accounting.periods import Month
from reports_pipeline.accounting.reports import TREND_MONTHS, TenantReports
from reports_pipeline.documents.catalogs import Catalog, catalog
from reports_pipeline.documents.formats import currency_name, format_day
from reports_pipeline.documents.tables import Report


def report_head(reports: TenantReports, name: str, period: str) -> Report:
    """A report with its head and nothing below it."""
    company = reports.company
    texts = catalog(company.language)
    return Report(
        name=name,
        company=company,
        month=reports.month,
        edition=texts.text(
            "revision" if reports.corrects is None else "revision.corrected",
            revision=reports.revision,
        ),
        title=texts.text(f"report.{name}"),
        period=period,
        facts=(
            texts.text(
                "unit.thousand" if company.display_unit == "thousand" else "unit",
                currency=currency_name(company.currency, company.language),
            ),
            texts.text(f"tax.{company.consumption_tax_basis}"),
        ),
    )


def month_of(reports: TenantReports) -> str:
    """The month's name; its first and last day where it is no calendar month (20日締め)."""
    company, month = reports.company, reports.month
    language = company.language
    start = datetime.date.fromisoformat(company.month_start)
    end = datetime.date.fromisoformat(company.month_end)
    last_day = end - datetime.timedelta(days=1)
    if (start, end) == (month.start, month.end):
        return format_day(last_day, "pattern.period", language)
    return catalog(language).text(
        "period",
        start=format_day(start, "pattern.day", language),
        end=format_day(last_day, "pattern.day", language),
    )


def balance_date(reports: TenantReports) -> str:
    """The last day of the month."""
    end = datetime.date.fromisoformat(reports.company.month_end)
    last_day = end - datetime.timedelta(days=1)
    return format_day(last_day, "pattern.balance_date", reports.company.language)


def trend_period(reports: TenantReports) -> str:
    """The first and the last month of the trends."""
    first, *_, last = trend_months(reports, "pattern.long_month")
    return catalog(reports.company.language).text("period", start=first, end=last)


def trend_months(reports: TenantReports, pattern: str) -> tuple[str, ...]:
    """The names of the months of the trends, in a CLDR pattern of the catalog."""
    return _month_names(reports.month, pattern, reports.company.language)


@functools.lru_cache(maxsize=64)
def _month_names(last: Month, pattern: str, language: str) -> tuple[str, ...]:
    return tuple(
        format_day(last.plus(elapsed).start, pattern, language)
        for elapsed in range(1 - TREND_MONTHS, 1)
    )


def fiscal_year(reports: TenantReports) -> str:
    """Since when the year's flows are added, and when the year's opening balances stood."""
    company = reports.company
    start = datetime.date.fromisoformat(company.fiscal_year_start)
    day = format_day(start, "pattern.day", company.language)
    return catalog(company.language).text("fiscal_year", start=day)


def notes_that_apply(
    reports: TenantReports, texts: Catalog, notes: dict[str, bool]
) -> tuple[str, ...]:
    """The notes (by message id) that apply, in their order."""
    currency = currency_name(reports.company.currency, texts.language)
    return tuple(
        texts.text(msgid, currency=currency) for msgid, applies in notes.items() if applies
    )
