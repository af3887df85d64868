"""The comment page (経営コメント): what rules observed, in sentences that quote its figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from fractions import Fraction
from math import floor

from reports_pipeline.accounting.observations import (
    Observation,
    leaves_rules_out,
    observations,
)
from reports_pipeline.accounting.reports import Company, TenantReports
from reports_pipeline.documents.catalogs import catalog
from reports_pipeline.documents.content.report_heads import month_of, notes_that_apply, report_head
from reports_pipeline.documents.formats import amount_format, currency_name, format_ratio
from reports_pipeline.documents.tables import Comment, Ratio, Report


def comment_report(reports: TenantReports) -> Report:
    """The observations on the tenant's month; one comment says so where there are none."""
    company = reports.company
    texts = catalog(company.language)
    observed = observations(reports)
    comments = tuple(comment_of(each, company) for each in observed) or (
        Comment(texts.text("comment.nothing.title"), texts.text("comment.nothing"), False),
    )
    return replace(
        report_head(reports, "management_comments", month_of(reports)),
        comments=comments,
        notes=notes_that_apply(
            reports,
            texts,
            {
                "note.comments": True,
                "note.provisional": not company.closed,
                "note.few_months": leaves_rules_out(reports),
                "note.truncated": any(
                    display_unit(each, company) == "thousand" for each in observed
                ),
                "note.negative": any(
                    amount < 0 for each in observed for amount in each.amounts.values()
                ),
            },
        ),
    )


def comment_of(observation: Observation, company: Company) -> Comment:
    """An observation in the company's language."""
    texts = catalog(company.language)
    label = observation.label or texts.text(observation.key)
    code = observation.code
    written = amount_with_unit(replace(company, display_unit=display_unit(observation, company)))
    text = texts.text(
        f"comment.{code}{observation.direction}",
        label=label,
        **{name: written(amount) for name, amount in observation.amounts.items()},
        **quoted_ratios(observation.ratios),
        **observation.counts,
    )
    return Comment(texts.text(f"comment.{code}.title", label=label), text, code.is_warning)


def display_unit(observation: Observation, company: Company) -> str:
    """The unit of the observation's amounts: the company's, unless amounts that differ would read
    alike in it, or one of them like nothing."""
    written = amount_format(company)
    amounts = {0, *observation.amounts.values()}
    are_told_apart = len({written(amount) for amount in amounts}) == len(amounts)
    return company.display_unit if are_told_apart else "one"


def amount_with_unit(company: Company) -> Callable[[int], str]:
    """How a sentence names an amount: the figure that the company's pages print, and its unit."""
    texts = catalog(company.language)
    written = amount_format(company)
    name = currency_name(company.currency, company.language)
    in_thousands = company.display_unit == "thousand"
    msgid = "comment.amount.thousand" if in_thousands else "comment.amount"
    return lambda minor: texts.text(msgid, amount=written(minor), name=name, code=company.currency)


def quoted_ratios(ratios: Mapping[str, Fraction]) -> dict[str, str]:
    """Percentages as pages print them; rounded down where that would make two of them equal: what
    is below 100% never reads 100.0%."""
    rounded = {name: _percentage(ratio) for name, ratio in ratios.items()}
    if len(set(rounded.values())) == len(rounded):
        return rounded
    return {
        name: _percentage(Fraction(floor(ratio * 1000), 1000)) for name, ratio in ratios.items()
    }


def _percentage(ratio: Fraction) -> str:
    return format_ratio(Ratio(ratio.numerator, ratio.denominator))
