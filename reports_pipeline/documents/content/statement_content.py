"""A statement as highlights and charts look at it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from reports_pipeline.accounting.reports import StatementLine
from reports_pipeline.documents.catalogs import Catalog
from reports_pipeline.documents.tables import Row, Series


@dataclass(frozen=True)
class StatementContent:
    """What highlights and charts are made of. By key stand the lines and rows whose key is unique:
    a cash-flow statement may have an account among receipts and among payments."""

    texts: Catalog
    accounts: tuple[StatementLine, ...]
    lines: Mapping[str, StatementLine]
    rows: Mapping[str, Row]
    months: tuple[str, ...]  # names of the months of the trends

    def label(self, line: StatementLine) -> str:
        return line.label or self.texts.text(line.key)

    def trend(self, key: str, *, name: str = "", sign: int = 1) -> tuple[Series, ...]:
        """The line's trend under the message `name`, or its label; nothing where the statement
        lacks the line."""
        line = self.lines.get(key)
        if line is None:
            return ()
        label = self.texts.text(name) if name else self.label(line)
        return (Series(label, tuple(sign * value for value in line.trend)),)
