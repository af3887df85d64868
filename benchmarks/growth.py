"""How far the system grows, what a month then costs, and which limit is met first.

    python -m benchmarks.growth MONTH.json [--hours H] [--window M] [--page FILE] [--json FILE]

MONTH.json is what `python -m benchmarks.month --json` wrote. Its costs of one tenant are multiplied
by numbers of tenants and compared with limits (benchmarks.growth_model). A limit is solved for: the
table says up to how many tenants it holds. The tables are Markdown; `--page docs/scale.md` puts
them into the page, between comments with their names.

Nothing is measured here, and the same figures give the same tables.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.growth_model import (
    CONCURRENT_RUNS,
    DEADLINE_HOURS,
    DIALOG_SECONDS,
    KEPT_MONTHS,
    MEASURED_PARTITIONS,
    REGISTER_ROWS,
    TENANTS_PER_RUN,
    WINDOW_MONTHS,
    WINDOWS,
    Growth,
    MeasuredMonth,
)

SIZES = (5_000, 50_000, 500_000)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("month", type=Path, help="figures of benchmarks.month, as JSON")
    parser.add_argument("--hours", type=float, default=DEADLINE_HOURS, help="for a month's work")
    parser.add_argument("--window", type=int, default=WINDOW_MONTHS, help="months that are shown")
    parser.add_argument("--page", type=Path, help="put the tables into this page")
    parser.add_argument("--json", type=Path, help="also write the figures here, as one object")
    arguments = parser.parse_args()
    if arguments.hours <= 0 or arguments.window < 1:
        parser.error("--hours must be more than 0, --window at least 1")
    try:
        measured = MeasuredMonth.of(json.loads(arguments.month.read_text(encoding="utf-8")))
        model = Growth(measured, arguments.hours, arguments.window)
        printed = tables(model)
        if arguments.page:
            page = arguments.page.read_text(encoding="utf-8")
            arguments.page.write_text(with_tables(page, printed), encoding="utf-8")
    except (OSError, ValueError) as error:
        parser.error(str(error))
    for name, table in printed.items():
        print(f"{name}\n\n{table}\n")
    if arguments.json:
        arguments.json.write_text(json.dumps(figures(model), indent=2) + "\n", encoding="utf-8")


class Row(NamedTuple):
    """A line of a table that has a column for each number of tenants."""

    name: str
    label: str
    value: Callable[[int], float]


def rows(model: Growth) -> dict[str, list[Row]]:
    """The lines of such tables, by the table's name."""
    hours = f"{model.deadline_hours:g} hours"
    month = model.month
    return {
        "machine": [
            Row(
                "minutes",
                f"minutes on {month.concurrent_runs} cores",
                lambda tenants: 60 * model.machine_hours(tenants),
            ),
            Row(
                "cores_one_hour",
                "cores for one hour",
                lambda tenants: model.machine_cores(tenants, 1),
            ),
            Row(
                "memory_gb_one_hour",
                "memory for a run on each of them, without PostgreSQL's, GB",
                lambda tenants: model.machine_gb(model.machine_cores(tenants, 1)),
            ),
            Row(
                "cores_deadline",
                f"cores for {hours}",
                lambda tenants: model.machine_cores(tenants, model.deadline_hours),
            ),
            Row(
                "written_gb",
                "documents and mails on its disk, GB a month",
                lambda tenants: model.document_gb(tenants) + model.mail_gb(tenants),
            ),
        ],
        "aws": [
            Row("runs", f"runs of {TENANTS_PER_RUN} tenants", model.runs),
            Row(
                "run_seconds",
                "seconds of a run, its start included",
                lambda _: model.run_seconds,
            ),
            Row("runs_needed", f"runs beside each other for {hours}", model.runs_needed),
            Row(
                "work_minutes",
                f"minutes with {CONCURRENT_RUNS} beside each other",
                lambda tenants: 60 * model.work_hours(tenants),
            ),
            Row(
                "launch_minutes",
                "minutes in which the queue can launch them",
                model.launch_minutes,
            ),
            Row("mails", "mails", lambda tenants: round(model.mails(tenants))),
            Row(
                "mail_minutes",
                "minutes of mails at a new SES account's rate",
                lambda tenants: 60 * model.mail_hours(tenants),
            ),
            Row(
                "mails_per_second_needed",
                f"mails a second that SES must allow for {hours}",
                model.mails_per_second_needed,
            ),
            Row("document_gb", "documents, GB a month", model.document_gb),
            Row(
                "event_rows",
                "rows in the event log a month",
                lambda tenants: round(model.event_rows(tenants)),
            ),
            Row(
                "register_rows",
                "rows in the register a month",
                lambda tenants: tenants * REGISTER_ROWS,
            ),
            Row("database_gb", "both, GB a month", model.database_gb_a_month),
        ],
        "dollars": _dollar_rows(model),
    }


_DOLLARS = {
    "runs": "runs",
    "deployments": "database and services of each deployment",
    "database_storage": f"storage of the databases, {KEPT_MONTHS} months",
    "documents_written": "documents written",
    "documents_kept": f"documents kept, {KEPT_MONTHS} months",
    "mails": "mails",
    "mail_attachments": "their attachments",
}


def _dollar_rows(model: Growth) -> list[Row]:
    def item(name: str) -> Callable[[int], float]:
        return lambda tenants: model.dollars(tenants)[name]

    def total(tenants: int) -> float:
        return sum(model.dollars(tenants).values())

    return [
        Row(
            "number_of_deployments",
            f"deployments, {model.window_months} months of window",
            model.deployments,
        ),
        *(Row(name, label, item(name)) for name, label in _DOLLARS.items()),
        Row("total", "**dollars a month**", total),
        Row("cents_a_tenant", "cents a tenant", lambda tenants: 100 * total(tenants) / tenants),
    ]


def figures(model: Growth) -> dict[str, Any]:
    """What the tables show, by table and name; numbers of tenants are keys (`"50000"`)."""

    def by_size(value: Callable[[int], float]) -> dict[str, float]:
        return {str(tenants): round(value(tenants), 3) for tenants in SIZES}

    return {
        "deadline_hours": model.deadline_hours,
        "window_months": model.window_months,
        **{
            table: {row.name: by_size(row.value) for row in lines}
            for table, lines in rows(model).items()
        },
        "deployments": {
            str(window): {str(tenants): model.deployments(tenants, window) for tenants in SIZES}
            for window in WINDOWS
        },
        "limits": [
            {
                "name": limit.name,
                "most": limit.most,
                "need": by_size(limit.load),
                "holds_until": limit.holds_until,
            }
            for limit in model.limits()
        ],
    }


def tables(model: Growth) -> dict[str, str]:
    """The page's tables in Markdown, by name."""
    return {
        "tenant": _tenant_table(model.month),
        **{name: _sizes_table(lines) for name, lines in rows(model).items()},
        "partitions": _partitions_table(model),
        "limits": _limits_table(model),
    }


def _sizes_table(lines: Iterable[Row]) -> str:
    return _table(
        ["tenants", *(f"{tenants:,}" for tenants in SIZES)],
        [[row.label, *(_number(row.value(tenants)) for tenants in SIZES)] for row in lines],
    )


def _tenant_table(month: MeasuredMonth) -> str:
    return _table(
        [
            "of one tenant",
            f"in a month of {month.tenants:,}, {month.tenants_per_run} a run, "
            f"{month.concurrent_runs} runs at a time",
        ],
        [
            ["ledger lines of the month", _number(month.lines)],
            [
                "CPU time",
                f"{month.cpu_seconds * 1000:.0f} ms, of which Dagster "
                f"{month.dagster_cpu_seconds * 1000:.0f}, PostgreSQL "
                f"{month.postgres_cpu_seconds * 1000:.0f}",
            ],
            ["time in the stages of its run", f"{month.stage_seconds * 1000:.0f} ms"],
            ["documents", f"{month.documents:.1f}, {month.document_bytes / 1e3:,.0f} KB"],
            ["mails", f"{month.mails:.1f}, {month.mail_bytes / 1e3:,.0f} KB"],
            ["rows in Dagster's event log", f"{month.events:.0f}"],
            [
                "of one run: outside its stages; memory with its worker",
                f"{month.run_outside_stages_seconds:.1f} s; {month.run_mb:,.0f} MB",
            ],
        ],
    )


def _partitions_table(model: Growth) -> str:
    def dialog_seconds(tenants: int, window: int) -> str:
        return _number(tenants * window / MEASURED_PARTITIONS * DIALOG_SECONDS)

    few, many = SIZES[:2]
    return _table(
        [
            "months of window",
            "tenants a deployment",
            *(f"deployments for {tenants:,}" for tenants in SIZES),
            f"dialog with {few:,}, s",
            f"with {many:,} in one deployment, s",
        ],
        [
            [
                f"{window}",
                f"{model.tenants_per_deployment(window):,}",
                *(f"{model.deployments(tenants, window)}" for tenants in SIZES),
                dialog_seconds(few, window),
                dialog_seconds(many, window),
            ]
            for window in WINDOWS
        ],
    )


def _limits_table(model: Growth) -> str:
    return _table(
        ["limit", "is", *(f"{tenants:,} need" for tenants in SIZES), "holds until", "then"],
        [
            [
                limit.name,
                _number(limit.most),
                *(_against(limit.load(tenants), limit.most) for tenants in SIZES),
                "always" if limit.holds_until is None else f"{limit.holds_until:,}",
                limit.then,
            ]
            for limit in model.limits()
        ],
    )


def _against(load: float, most: float) -> str:
    return f"**{_number(load)}**" if load > most else _number(load)


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _number(value: float) -> str:
    """Two digits that count, or more."""
    if value == round(value) or value >= 10:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 1 else f"{value:.2g}"


def with_tables(page: str, printed: Mapping[str, str]) -> str:
    """The page with these tables between `<!-- name -->` and `<!-- /name -->`.

    Raises:
        ValueError: a table has no place in it.
    """
    for name, table in printed.items():
        begins, ends = f"<!-- {name} -->", f"<!-- /{name} -->"
        before, found, rest = page.partition(begins)
        _, also_found, after = rest.partition(ends)
        if not (found and also_found):
            raise ValueError(f"the page has no place for the table: {begins} {ends}")
        page = f"{before}{begins}\n\n{table}\n\n{ends}{after}"
    return page


if __name__ == "__main__":
    main()
