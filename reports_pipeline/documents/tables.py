"""The document model: what a report says, before anybody draws it.

Layouts make it from statements; the PDF and the workbook are two renderings of the same model, so
their figures cannot differ. All text in it is final and in the reader's language.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from enum import Enum, auto

from reports_pipeline.accounting.periods import Month
from reports_pipeline.accounting.reports import Company, LineKind


@dataclass(frozen=True, slots=True)
class Ratio:
    """An exact quotient; the denominator is above 0."""

    numerator: int
    denominator: int

    @classmethod
    def of(cls, numerator: int | None, denominator: int | None) -> Ratio | None:
        """The quotient, or None (printed —) where a part is missing or the base is not
        positive: a percentage of nothing, or of a loss, says nothing."""
        if numerator is None or denominator is None or denominator <= 0:
            return None
        return cls(numerator, denominator)


# An int is an exact amount in minor units of the company's currency; None prints as —.
Cell = int | Ratio | datetime.date | str | None


class ColumnKind(Enum):
    TEXT = auto()
    DATE = auto()
    AMOUNT = auto()
    CHANGE = auto()  # the first amount column less the second
    SHARE = auto()  # the first amount column in relation to the table's base row
    SUM = auto()  # the amount columns to its left, added
    COUNT = auto()  # how many there are, no amount
    POINTS = auto()  # the difference of two shares, in points of percent


@dataclass(frozen=True, slots=True)
class Column:
    title: str
    kind: ColumnKind
    width: int  # of a workbook column, in digits
    is_grouped: bool = False  # the summary of a list has a total for each of its texts


@dataclass(frozen=True, slots=True)
class RowsAbove:
    """A total of the detail rows from `first` (an index) to the row above the total."""

    first: int


@dataclass(frozen=True, slots=True)
class Combination:
    """A total of other rows, each with the sign (1 or -1) it enters with: (sign, index)."""

    terms: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Row:
    """A row; a heading has no cell but its label."""

    key: str
    kind: LineKind
    level: int
    cells: tuple[Cell, ...]
    total_of: RowsAbove | Combination | None = None
    is_loss: bool = False  # a negative profit, given from the loss's point of view


@dataclass(frozen=True, slots=True)
class Highlight:
    """A figure for the head of the report, with a remark such as its change in percent."""

    label: str
    value: int | Ratio | None
    remark: str
    row_key: str = ""  # of the row whose first amount, or ratio, it is
    base_key: str = ""  # of the row that the ratio relates to; empty for an amount
    less_key: str = ""  # of the row that the first one is reduced by; empty for none


@dataclass(frozen=True, slots=True)
class Series:
    name: str
    values: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class BarChart:
    """Horizontal bars, one per category, with a thinner one for comparison."""

    title: str
    bars: Series
    comparison: Series
    labels: tuple[str, ...]

    @property
    def has_amounts(self) -> bool:
        return any(self.bars.values)


@dataclass(frozen=True, slots=True)
class ColumnChart:
    """Columns stacked over each label, negative values downwards, and lines across them."""

    title: str
    labels: tuple[str, ...]
    stacks: tuple[Series, ...]
    lines: tuple[Series, ...]

    @property
    def has_amounts(self) -> bool:
        return any(any(series.values) for series in self.stacks + self.lines)


@dataclass(frozen=True, slots=True)
class WaterfallChart:
    """How steps lead from an opening to a closing balance."""

    title: str
    labels: tuple[str, ...]
    opening: int
    steps: tuple[int, ...]

    @property
    def has_amounts(self) -> bool:
        return self.opening != 0 or any(self.steps)


Chart = BarChart | ColumnChart | WaterfallChart


@dataclass(frozen=True, slots=True)
class Comment:
    """A remark on the figures: what it is about, and a sentence or two that quote them."""

    title: str
    text: str
    is_warning: bool


@dataclass(frozen=True, slots=True)
class Report:
    """One report of a tenant and month."""

    name: str  # as in the document's name: income_statement
    company: Company
    month: Month
    edition: str  # the revision, as it is printed
    title: str
    period: str
    facts: tuple[str, ...]  # unit of the amounts, consumption tax, start of the fiscal year
    columns: tuple[Column, ...] = ()
    rows: tuple[Row, ...] = ()
    base_row: int | None = None  # index of the row that shares relate to
    highlights: tuple[Highlight, ...] = ()
    charts: tuple[Chart, ...] = ()
    charts_first: bool = False
    is_list: bool = False  # rows of one kind, to be filtered and sorted
    comments: tuple[Comment, ...] = ()
    is_landscape: bool = False
    notice: str = ""  # on all of the report; pages show it above the table
    notes: tuple[str, ...] = ()

    @property
    def remarks(self) -> tuple[str, ...]:
        """The notice and the notes, for a rendering that has them in one place."""
        return (self.notice, *self.notes) if self.notice else self.notes
