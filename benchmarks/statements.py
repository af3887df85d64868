"""What reading a month and making its statements costs, next to what the database needs to read it.

    python -m benchmarks.statements [--tenants N] [--lines L] [--months M] [--json FILE]

The limit is a binary COPY of the month's lines to /dev/null by the server: whoever reads every line
needs as long. It is compared with what the first two stages compute, batch by batch: the extract
and its checks, the statements and their identities. Production has two runs beside each other, so
the ratio to the limit is that of two processes; the ratio of one process stands beside it. Files
between stages, documents and Dagster are benchmarks.stages' business.

All of it alternates on one sample ledger, several times; medians are printed.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import resource
import statistics
import time
from collections.abc import Iterable
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
_PROCESSES = 2
_TENANTS_PER_BATCH = 250
_ROUNDS = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--tenants", type=int, default=5_000)
    parser.add_argument("--lines", type=int, default=5_000_000, help="of all tenants in a month")
    parser.add_argument("--months", type=int, default=3, help="in the ledger")
    parser.add_argument("--json", type=Path, help="also write the figures here, as one object")
    arguments = parser.parse_args()
    figures = measure(arguments.tenants, arguments.lines, months=arguments.months)
    for name, value in figures.items():
        print(f"{name:36}{value:>12,}")
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def measure(tenants: int, lines: int, *, months: int = 3) -> dict[str, float]:
    """The figures by name. Seconds and ratios are medians of the rounds; `extract_seconds` and
    `statements_seconds` are the parts of `one_process_seconds`; `ms_per_tenant` is the time that
    passes while two processes work; `peak_mb` is the most that one of them took."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(_PROCESSES, mp_context=spawn) as workers, temporary_postgres() as url:
        # A process inherits the peak of the one that started it, which is about to grow.
        list(workers.map(time.sleep, [0.5] * _PROCESSES))
        ledger_url = create_database(url, "benchmark")
        upgrade_schema(ledger_url)
        scale = SampleScale(tenants, _MONTH.plus(1 - months), months, lines)
        load_ledger(ledger_url, sample_ledger(scale, seed=1), replace=False)
        active = Tenants(ledger_url)
        counts = active.line_counts(_MONTH, active.active_ids())
        batches = balanced_batches(counts, _TENANTS_PER_BATCH)
        work = [(ledger_url, batch) for batch in batches]

        limits, alone, beside, parts = [], [], [], []
        for _ in range(_ROUNDS):
            limits.append(_copy_seconds(ledger_url))
            started = time.perf_counter()
            parts.append([workers.submit(_report_on, *batch).result() for batch in work])
            alone.append(time.perf_counter() - started)
            started = time.perf_counter()
            parts.append(list(workers.map(_report_on, *zip(*work, strict=True))))
            beside.append(time.perf_counter() - started)
    return {
        "tenants": tenants,
        "lines": sum(counts.values()),
        "months": months,
        "batches": len(batches),
        "copy_limit_seconds": _median(limits),
        "two_processes_seconds": _median(beside),
        "one_process_seconds": _median(alone),
        "extract_seconds": _median(sum(part.extract for part in round_) for round_ in parts[::2]),
        "statements_seconds": _median(
            sum(part.statements for part in round_) for round_ in parts[::2]
        ),
        "ms_per_tenant": _median(seconds * 1000 / tenants for seconds in beside),
        "peak_mb": round(max(part.peak_mb for round_ in parts for part in round_)),
        "ratio_to_copy_limit": _median(map(float.__truediv__, beside, limits)),
        "ratio_to_copy_limit_one_process": _median(map(float.__truediv__, alone, limits)),
    }


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
