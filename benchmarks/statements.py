"""What reading a month and making its statements costs, next to what the database needs to read it.

    python -m benchmarks.statements [--tenants N] [--lines L] [--history-months M] [--json FILE]

The limit is a binary COPY of the month's lines to /dev/null by the server: whoever reads every line
needs as long. It is compared with what the first two stages compute, batch by batch: the extract
and its checks, the statements and their identities. Production has two runs beside each other, so
the ratio to the limit is that of two processes; the ratio of one process stands beside it. Files
between stages, documents and Dagster are benchmarks.stages' business.

All of it alternates on one sample ledger, several times; medians are printed. The limit reads the
month alone, the stages read snapshots of earlier months too: measured once with those of the months
whose lines are loaded, and once with a history as long as customers have, whose snapshots are
copies.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import resource
import statistics
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import psycopg

from reports_pipeline.accounting.controls import check_identities, identity_failures
from reports_pipeline.accounting.extract_failures import extract_failures
from reports_pipeline.accounting.periods import Month
from reports_pipeline.accounting.statements import build_statements
from reports_pipeline.launching import balanced_batches
from resources.database import create_database, temporary_postgres, upgrade_schema
from resources.ledger import PostgresLedger
from resources.ledger_loading import load_ledger
from resources.sample_ledger import SampleScale, sample_ledger
from resources.tenants import Tenants

_MONTH = Month(2025, 4)
_LOADED_MONTHS = 3
# What a server of 8 GB has by default at the usual hosts: a month's lines are in memory, for the
# limit as for the stages.
_SHARED_BUFFERS = "2GB"
_PROCESSES = 2
_TENANTS_PER_BATCH = 500
_ROUNDS = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--tenants", type=int, default=5_000)
    parser.add_argument("--lines", type=int, default=5_000_000, help="of all tenants in a month")
    parser.add_argument("--history-months", type=int, default=36, help="with snapshots")
    parser.add_argument("--json", type=Path, help="also write the figures here, as one object")
    arguments = parser.parse_args()
    figures = measure(arguments.tenants, arguments.lines, history_months=arguments.history_months)
    for name, value in figures.items():
        print(f"{name:36}{value:>12,}")
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def measure(tenants: int, lines: int, *, history_months: int) -> dict[str, float]:
    """The figures by name. Seconds and ratios are medians of the rounds; `extract_seconds` and
    `statements_seconds` are the parts of `one_process_seconds`; `ms_per_tenant` is the time that
    passes while two processes work; `peak_mb` is the most that one of them took."""
    spawn = multiprocessing.get_context("spawn")
    with (
        ProcessPoolExecutor(_PROCESSES, mp_context=spawn) as workers,
        temporary_postgres(shared_buffers=_SHARED_BUFFERS) as url,
    ):
        # A process inherits the peak of the one that started it, which is about to grow.
        list(workers.map(time.sleep, [0.5] * _PROCESSES))
        ledger_url = create_database(url, "benchmark")
        upgrade_schema(ledger_url)
        scale = SampleScale(tenants, _MONTH.plus(1 - _LOADED_MONTHS), _LOADED_MONTHS, lines)
        load_ledger(ledger_url, sample_ledger(scale, seed=1), replace=False)
        active = Tenants(ledger_url)
        counts = active.line_counts(_MONTH, active.active_ids())
        batches = balanced_batches(counts, _TENANTS_PER_BATCH)
        work = [(ledger_url, batch) for batch in batches]
        loaded = _rounds(workers, work)
        _add_history(ledger_url, history_months)
        with_history = _rounds(workers, work)
    return {
        "tenants": tenants,
        "lines": sum(counts.values()),
        "batches": len(batches),
        "months": _LOADED_MONTHS,
        **{name: value for name, value in loaded.items() if name != "peak_mb"},
        "ms_per_tenant": round(loaded["two_processes_seconds"] * 1000 / tenants, 3),
        "history_months": history_months,
        "two_processes_seconds_with_history": with_history["two_processes_seconds"],
        "ratio_to_copy_limit_with_history": with_history["ratio_to_copy_limit"],
        "peak_mb": with_history["peak_mb"],
    }


def _rounds(
    workers: ProcessPoolExecutor, work: Sequence[tuple[str, tuple[str, ...]]]
) -> dict[str, float]:
    limits, alone, beside, parts = [], [], [], []
    for _ in range(_ROUNDS):
        limits.append(_copy_seconds(work[0][0]))
        started = time.perf_counter()
        parts.append([workers.submit(_report_on, *batch).result() for batch in work])
        alone.append(time.perf_counter() - started)
        started = time.perf_counter()
        parts.append(list(workers.map(_report_on, *zip(*work, strict=True))))
        beside.append(time.perf_counter() - started)
    return {
        "copy_limit_seconds": _median(limits),
        "two_processes_seconds": _median(beside),
        "one_process_seconds": _median(alone),
        "extract_seconds": _median(sum(part.extract for part in round_) for round_ in parts[::2]),
        "statements_seconds": _median(
            sum(part.statements for part in round_) for round_ in parts[::2]
        ),
        "ratio_to_copy_limit": _median(map(float.__truediv__, beside, limits)),
        "ratio_to_copy_limit_one_process": _median(map(float.__truediv__, alone, limits)),
        "peak_mb": round(max(part.peak_mb for round_ in parts for part in round_)),
    }


def _add_history(ledger_url: str, months: int) -> None:
    """Give earlier months the snapshots of the month before the reported one."""
    copied = _MONTH.plus(-1).start
    with psycopg.connect(ledger_url) as connection:
        # No trigger is to take the copies for changes.
        connection.execute("set local session_replication_role = replica")
        connection.execute(
            """
            insert into ledger.balance_snapshots
            select tenant_id, (month - back * interval '1 month')::date, account_code,
                   debit, credit, closing_debit, closing_credit, opening_debit, opening_credit,
                   inflow, outflow, with_retained_earnings
            from ledger.balance_snapshots cross join generate_series(%s::int, %s::int) back
            where month = %s
            """,
            [_LOADED_MONTHS - 1, months - 2, copied],
        )
    with psycopg.connect(ledger_url, autocommit=True) as connection:
        connection.execute("vacuum analyze ledger.balance_snapshots")


@dataclass(frozen=True)
class _Spent:
    """Seconds for a batch, and the peak of the process so far."""

    extract: float
    statements: float
    peak_mb: float


def _report_on(ledger_url: str, tenant_ids: tuple[str, ...]) -> _Spent:
    started = time.perf_counter()
    extract, failures = PostgresLedger(ledger_url).extract(_MONTH, tenant_ids)
    failures += extract_failures(extract)
    extracted = time.perf_counter()
    statements = build_statements(extract)
    failures += identity_failures(check_identities(extract, statements))
    finished = time.perf_counter()
    assert not failures, failures[0]
    assert statements["tenant_id"].nunique() == len(tenant_ids)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    unit = 1_000_000 if os.uname().sysname == "Darwin" else 1_000
    return _Spent(extracted - started, finished - extracted, peak / unit)


def _copy_seconds(ledger_url: str) -> float:
    with psycopg.connect(ledger_url) as connection:
        started = time.perf_counter()
        connection.execute(
            f"copy (select * from ledger.journal_lines where posted_on >= '{_MONTH.start}' "  # noqa: S608
            f"and posted_on < '{_MONTH.end}') to '/dev/null' (format binary)"
        )
        return time.perf_counter() - started


def _median(values: Iterable[float]) -> float:
    return round(statistics.median(values), 3)


if __name__ == "__main__":
    main()
