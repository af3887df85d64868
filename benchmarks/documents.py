"""What the documents of a tenant's month cost: ours, and the plain way's.

    python -m benchmarks.documents [--tenants N] [--bundles N] [--json FILE]

A bundle is four PDFs and three workbooks of a company on the standard plan, as
`benchmarks.sample_reports` describes it. Both ways render the same tenants in turn, in one process,
from statements to bytes; CPU time counts, and medians of the rounds are printed.
`benchmarks.plain_documents` says the same on the same pages. Its workbooks are made in two ways:
with style objects for each cell, which the promise is about, and with shared ones.

Then two processes are compared with one, a fresh process renders thousands of different bundles to
see whether its memory grows, and two processes that hash differently must write the same bytes.
"""

from __future__ import annotations

import argparse
import gc
import hashlib
import json
import multiprocessing
import os
import resource
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

from benchmarks.sample_reports import sample_reports
from reports_pipeline.accounting.reports import TenantReports
from reports_pipeline.documents import bundle
from reports_pipeline.documents.document import Document

_REFERENCE = "8f14e45fceea167a"
_ROUNDS = 5
_PROCESSES = 2
_BUNDLES_OF_A_ROUND = 120  # to compare processes by
_TENANTS_OF_A_WORKER = 20  # that it goes through again and again
_BUNDLES_TO_WARM_UP = 500


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--tenants", type=int, default=20, help="rendered both ways")
    parser.add_argument("--bundles", type=int, default=5_000, help="of one process, for its memory")
    parser.add_argument("--json", type=Path, help="also write the figures here, as one object")
    arguments = parser.parse_args()
    figures = measure(arguments.tenants, arguments.bundles)
    for name, value in figures.items():
        print(f"{name:40}{value:>12,}")
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def measure(
    tenants: int,
    bundles: int,
    *,
    rounds: int = _ROUNDS,
    bundles_of_a_round: int = _BUNDLES_OF_A_ROUND,
) -> dict[str, float]:
    """The figures by name. Milliseconds are of CPU, for one bundle; the ratio is the median of the
    rounds' ratios. `worker_growth_mb` is by how much the peak of a process rose after its first
    500 bundles, and `stable` is 1 where two processes wrote the same bytes."""
    # First, while this process is small: a process inherits the peak of the one that started it.
    memory = _worker_memory(bundles)
    speedup = _two_workers_speedup(rounds, bundles_of_a_round)
    sample = [sample_reports(number) for number in range(1, tenants + 1)]
    return {
        "tenants": tenants,
        **_compare(sample, rounds),
        "two_workers_speedup": speedup,
        "worker_bundles": bundles,
        **memory,
        "bundle_bytes": round(statistics.mean(map(_bundle_bytes, sample))),
        "stable": int(len({_digest_by_new_process(seed) for seed in ("1", "2")}) == 1),
    }


def _compare(sample: Sequence[TenantReports], rounds: int) -> dict[str, float]:
    # Not on top: the worker whose memory is measured is to have what rendering needs, no more.
    from benchmarks import plain_documents

    ways: dict[str, Callable[[TenantReports, str], object]] = {
        "plain_pdf": plain_documents.render_pdfs,
        "plain_workbook": plain_documents.render_workbooks,
        "shared_styles_workbook": partial(plain_documents.render_workbooks, shares_styles=True),
        "pdf": bundle.render_pdfs,
        "workbook": bundle.render_workbooks,
    }
    for render in ways.values():
        render(sample[0], _REFERENCE)  # parses fonts and builds templates, once for each process
    spent: dict[str, list[float]] = defaultdict(list)
    for _ in range(rounds):
        seconds = dict.fromkeys(ways, 0.0)
        for reports in sample:
            for name, render in ways.items():
                seconds[name] += _cpu_seconds(render, reports)
        seconds["plain"] = seconds["plain_pdf"] + seconds["plain_workbook"]
        seconds["shared_styles"] = seconds["plain_pdf"] + seconds["shared_styles_workbook"]
        seconds["ours"] = seconds["pdf"] + seconds["workbook"]
        for name, value in seconds.items():
            spent[name].append(value * 1000 / len(sample))
    median = {name: statistics.median(values) for name, values in spent.items()}

    def over_ours(name: str) -> float:
        return round(statistics.median(map(float.__truediv__, spent[name], spent["ours"])), 2)

    return {
        "plain_ms_per_bundle": round(median["plain"], 2),
        "ms_per_bundle": round(median["ours"], 2),
        "plain_over_ours": over_ours("plain"),
        "plain_with_shared_styles_over_ours": over_ours("shared_styles"),
        "plain_pdf_ms": round(median["plain_pdf"], 2),
        "pdf_ms": round(median["pdf"], 2),
        "plain_workbook_ms": round(median["plain_workbook"], 2),
        "plain_workbook_with_shared_styles_ms": round(median["shared_styles_workbook"], 2),
        "workbook_ms": round(median["workbook"], 2),
    }


def _cpu_seconds(render: Callable[[TenantReports, str], object], reports: TenantReports) -> float:
    gc.collect()  # neither way is to clear up after the other
    started = time.process_time()
    render(reports, _REFERENCE)
    return time.process_time() - started


def _render(reports: TenantReports) -> list[Document]:
    return [
        *bundle.render_pdfs(reports, _REFERENCE),
        *bundle.render_workbooks(reports, _REFERENCE),
    ]


def _bundle_bytes(reports: TenantReports) -> int:
    return sum(len(document.content) for document in _render(reports))


def _two_workers_speedup(rounds: int, bundles: int) -> float:
    """Wall time of as many bundles by one process, to that by two; all are warm."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(_PROCESSES, mp_context=spawn) as workers:
        _wall_seconds(workers, [min(bundles, _TENANTS_OF_A_WORKER)] * _PROCESSES)
        alone, beside = [], []
        for _ in range(rounds):
            alone.append(_wall_seconds(workers, [bundles]))
            beside.append(_wall_seconds(workers, [bundles // _PROCESSES] * _PROCESSES))
    return round(statistics.median(map(float.__truediv__, alone, beside)), 2)


def _wall_seconds(workers: ProcessPoolExecutor, counts: Sequence[int]) -> float:
    started = time.perf_counter()
    list(workers.map(_render_often, counts))
    return time.perf_counter() - started


def _render_often(count: int) -> None:
    for number in range(count):
        _render(sample_reports(number % _TENANTS_OF_A_WORKER))


def _worker_memory(bundles: int) -> dict[str, float]:
    """The peak of a process that renders so many bundles of different tenants, and by how much it
    rose after the first."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn) as workers:
        warm, end = workers.submit(_peaks_mb, bundles).result()
    return {"worker_peak_mb": round(end, 1), "worker_growth_mb": round(end - warm, 1)}


def _peaks_mb(bundles: int) -> tuple[float, float]:
    """The most the process held until it was warm, and until the end."""
    warm = 0.0
    for number in range(bundles):
        _render(sample_reports(number))
        if number + 1 == min(_BUNDLES_TO_WARM_UP, bundles):
            warm = _peak_mb()
    return warm, _peak_mb()


def _peak_mb() -> float:
    unit = 1_000_000 if os.uname().sysname == "Darwin" else 1_000
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def digest(tenants: Iterable[int] = range(1, 4)) -> str:
    """One sha-256 over all documents of a few tenants."""
    hashes = hashlib.sha256()
    for number in tenants:
        for document in _render(sample_reports(number)):
            hashes.update(document.content)
    return hashes.hexdigest()


def _digest_by_new_process(hash_seed: str) -> str:
    program = "from benchmarks import documents; print(documents.digest())"
    return subprocess.run(
        [sys.executable, "-c", program],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
    ).stdout


if __name__ == "__main__":
    main()
