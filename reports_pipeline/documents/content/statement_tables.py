"""The rows and columns that show the lines of a statement: measures, totals and losses."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter

from reports_pipeline.accounting.reports import LineKind, StatementLine
from reports_pipeline.documents.catalogs import Catalog
from reports_pipeline.documents.tables import (
    Cell,
    ColumnKind,
    Combination,
    Ratio,
    Row,
    RowsAbove,
)

# Totals that add and subtract other totals; any other `total_<section>` adds the lines under the
# heading `<section>`.
_COMBINATIONS: Mapping[str, tuple[tuple[int, str], ...]] = {
    "gross_profit": ((1, "total_net_sales"), (-1, "total_cost_of_sales")),
    "operating_profit": ((1, "gross_profit"), (-1, "total_selling_general_administrative")),
    "ordinary_profit": (
        (1, "operating_profit"),
        (1, "total_non_operating_income"),
        (-1, "total_non_operating_expenses"),
    ),
    "profit_before_tax": (
        (1, "ordinary_profit"),
        (1, "total_extraordinary_income"),
        (-1, "total_extraordinary_losses"),
    ),
    "net_profit": ((1, "profit_before_tax"), (-1, "total_income_taxes")),
    "total_liabilities_and_net_assets": ((1, "total_liabilities"), (1, "total_net_assets")),
}
# The steps of the ladder.
PROFITS = frozenset(_COMBINATIONS) - {"total_liabilities_and_net_assets"}


@dataclass(frozen=True)
class Measure:
    """A column of figures: the message of its title, and its value on a line."""

    msgid: str
    kind: ColumnKind
    value: Callable[[StatementLine], int | None]


def change(line: StatementLine) -> int | None:
    """How much more it is than the month before."""
    return None if line.current is None or line.prior is None else line.current - line.prior


MONTH = Measure("column.month", ColumnKind.AMOUNT, attrgetter("current"))
PRIOR_MONTH = Measure("column.prior_month", ColumnKind.AMOUNT, attrgetter("prior"))
PRIOR_YEAR = Measure("column.prior_year", ColumnKind.AMOUNT, attrgetter("prior_year"))
MONTH_END = replace(MONTH, msgid="column.month_end")
PRIOR_MONTH_END = replace(PRIOR_MONTH, msgid="column.prior_month_end")
PRIOR_YEAR_END = replace(PRIOR_YEAR, msgid="column.prior_year_end")
CHANGE = Measure("column.change", ColumnKind.CHANGE, change)
SHARE_OF_SALES = replace(MONTH, msgid="column.share_of_sales", kind=ColumnKind.SHARE)
SHARE_OF_EXPENSES = replace(SHARE_OF_SALES, msgid="column.share_of_expenses")
YEAR_TO_DATE = Measure("column.year_to_date", ColumnKind.AMOUNT, attrgetter("year_to_date"))
OPENING = Measure("column.opening", ColumnKind.AMOUNT, attrgetter("opening"))


def statement_rows(
    lines: Sequence[StatementLine],
    measures: Sequence[Measure],
    texts: Catalog,
    *,
    base: int | None,
    renames_losses: bool,
) -> tuple[Row, ...]:
    """The lines as rows; shares relate to `base`.

    A profit line whose current amount is negative is named a loss where losses are renamed, and all
    its figures are given from the loss's point of view: the month's loss as a positive amount, a
    profit in another column as △, the change as the growth of the loss (会社計算規則 第89条 and
    after). Elsewhere, for instance within net assets, figures keep the sign with which they enter
    their total.
    """
    losses = {line.key for line in lines if renames_losses and is_loss(line)}
    numbers = row_numbers(lines)
    columns = [(measure.value, measure.kind is ColumnKind.SHARE) for measure in measures]

    def figures(line: StatementLine) -> Iterator[Cell]:
        if line.kind is LineKind.HEADING:
            return
        sign = -1 if line.key in losses else 1
        for value_of, is_share in columns:
            value = value_of(line)
            if value is not None and sign < 0:
                value = -value
            yield Ratio.of(value, base) if is_share else value

    return tuple(
        Row(
            key=line.key,
            kind=line.kind,
            level=line.level,
            cells=(
                line.label or texts.text(f"{line.key}.loss" if line.key in losses else line.key),
                *figures(line),
            ),
            total_of=total_of(line, numbers, losses),
            is_loss=line.key in losses,
        )
        for line in lines
    )


def is_loss(line: StatementLine) -> bool:
    """Whether the line is a profit that is negative this month."""
    return line.key in PROFITS and (line.current or 0) < 0


def total_of(
    line: StatementLine, numbers: Mapping[str, int], losses: frozenset[str] | set[str] = frozenset()
) -> RowsAbove | Combination | None:
    """What the line adds up, by the numbers of the rows; the figures of losses have changed their
    sign."""
    key = line.key
    if key in _COMBINATIONS:
        sign = -1 if key in losses else 1
        return Combination(
            tuple(
                (sign * (-of_term if term in losses else of_term), numbers[term])
                for of_term, term in _COMBINATIONS[key]
                if term in numbers
            )
        )
    if not key.startswith("total_"):
        return None
    heading = numbers.get(key.removeprefix("total_"))
    return None if heading is None else RowsAbove(heading + 1)


def row_numbers(lines: Sequence[StatementLine]) -> dict[str, int]:
    """The index of each line's row."""
    return {line.key: number for number, line in enumerate(lines)}
