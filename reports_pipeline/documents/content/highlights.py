"""The figures in the head of a report, with a remark such as their change."""

from __future__ import annotations

from reports_pipeline.documents.content.statement_content import StatementContent
from reports_pipeline.documents.content.statement_tables import change
from reports_pipeline.documents.formats import NOTHING, format_ratio
from reports_pipeline.documents.tables import Highlight, Ratio


def figure(key: str, content: StatementContent) -> Highlight | None:
    """A row's amount, and its change from the month before in percent."""
    row = content.rows.get(key)
    if row is None:
        return None
    label, current, prior = row.cells[:3]
    growth = None
    if isinstance(current, int) and isinstance(prior, int):
        growth = Ratio.of(current - prior, prior)
    return Highlight(
        label=str(label),
        value=current if isinstance(current, int) else None,
        remark=content.texts.text("highlight.change", change=_percentage(growth, signed=True)),
        row_key=key,
    )


def equity_ratio(content: StatementContent) -> Highlight | None:
    """自己資本比率, now and a month ago: net assets without share acquisition rights, which are not
    yet the shareholders' (自己資本, as 決算短信 define it), in relation to all assets."""
    net_assets = content.lines.get("total_net_assets")
    assets = content.lines.get("total_assets")
    if net_assets is None or assets is None:
        return None
    rights = content.lines.get("total_share_acquisition_rights")
    current, prior = net_assets.current, net_assets.prior
    if rights is not None:
        current = None if current is None else current - (rights.current or 0)
        prior = None if prior is None else prior - (rights.prior or 0)
    return Highlight(
        label=content.texts.text("highlight.equity_ratio"),
        value=Ratio.of(current, assets.current),
        remark=content.texts.text(
            "highlight.prior", ratio=_percentage(Ratio.of(prior, assets.prior))
        ),
        row_key="total_net_assets",
        base_key="total_assets",
        less_key="" if rights is None else rights.key,
    )


def expenses_to_date(content: StatementContent) -> Highlight | None:
    line = content.lines.get("total_expenses")
    if line is None:
        return None
    label = content.texts.text("highlight.year_to_date", label=content.label(line))
    return Highlight(label, line.year_to_date, "")


def largest_expense(content: StatementContent) -> Highlight | None:
    """The account with the highest amount, and its share."""
    largest = max(content.accounts, key=lambda line: line.current or 0, default=None)
    expenses = content.lines.get("total_expenses")
    if largest is None or expenses is None:
        return None
    share = _percentage(Ratio.of(largest.current, expenses.current))
    return Highlight(
        content.texts.text("highlight.largest", label=content.label(largest)),
        largest.current,
        content.texts.text("highlight.share", ratio=share),
    )


def most_increased_expense(content: StatementContent) -> Highlight | None:
    """The account that grew most, by its growth."""
    line = max(content.accounts, key=lambda line: change(line) or 0, default=None)
    if line is None or (growth := change(line) or 0) <= 0:
        return None
    rate = _percentage(Ratio.of(growth, line.prior), signed=True)
    return Highlight(
        content.texts.text("highlight.most_increased", label=content.label(line)),
        growth,
        content.texts.text("highlight.change", change=rate),
    )


def _percentage(ratio: Ratio | None, *, signed: bool = False) -> str:
    return NOTHING if ratio is None else format_ratio(ratio, signed=signed)
