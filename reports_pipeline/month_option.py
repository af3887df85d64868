"""A month on the command line."""

from __future__ import annotations

import click

from reports_pipeline.accounting.periods import Month


class MonthType(click.ParamType[Month]):
    """A month on the command line, YYYY-MM."""

    name = "month"

    def convert(
        self, value: str | Month, param: click.Parameter | None, ctx: click.Context | None
    ) -> Month:
        if isinstance(value, Month):
            return value
        try:
            return Month.parse(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


MONTH = MonthType()
