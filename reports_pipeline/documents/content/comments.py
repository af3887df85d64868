"""The comment page (経営コメント): what rules observed, in sentences that quote its figures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from reports_pipeline.accounting.observations import WARNINGS, Observation, observations
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
    written = amount_in_words(company)
    comments = tuple(comment_of(each, company, written) for each in observed) or (
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
                "note.truncated": company.display_unit == "thousand" and bool(observed),
                "note.negative": any(
                    amount < 0 for each in observed for amount in each.amounts.values()
                ),
            },
        ),
    )


def comment_of(
    observation: Observation, company: Company, written: Callable[[int], str]
) -> Comment:
    """An observation in the company's language; `written` writes its amounts."""
    texts = catalog(company.language)
    label = observation.label or texts.text(observation.key)
    code = observation.code.value
    variant = {True: ".above", False: ".below", None: ""}[observation.is_above]
    text = texts.text(
        f"comment.{code}{variant}",
        label=label,
        **{name: written(amount) for name, amount in observation.amounts.items()},
        **{
            name: format_ratio(Ratio(ratio.numerator, ratio.denominator))
            for name, ratio in observation.ratios.items()
        },
        **observation.counts,
    )
    return Comment(
        texts.text(f"comment.{code}.title", label=label), text, observation.code in WARNINGS
    )


def amount_in_words(company: Company) -> Callable[[int], str]:
    """How a sentence names an amount: the figure that the company's pages print, and its unit."""
    texts = catalog(company.language)
    written = amount_format(company)
    name = currency_name(company.currency, company.language)
    in_thousands = company.display_unit == "thousand"
    zero = written(0)

    def in_words(minor: int) -> str:
        figure = written(minor)
        msgid = "comment.amount"
        if in_thousands:
            is_less = minor != 0 and figure == zero
            msgid = "comment.amount.less" if is_less else "comment.amount.thousand"
        return texts.text(msgid, amount=figure, name=name, code=company.currency)

    return in_words
