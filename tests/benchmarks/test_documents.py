"""The benchmark runs, and names the figures that are promised."""

from __future__ import annotations

from benchmarks.documents import measure


def test_every_figure_is_measured() -> None:
    figures = measure(tenants=1, bundles=2, rounds=1, bundles_of_a_round=2)
    assert figures["stable"] == 1
    assert figures["tenants"] == 1
    for name in (
        "plain_over_ours",
        "plain_ms_per_bundle",
        "ms_per_bundle",
        "plain_pdf_ms",
        "pdf_ms",
        "plain_workbook_ms",
        "workbook_ms",
        "two_workers_speedup",
        "worker_peak_mb",
        "bundle_bytes",
    ):
        assert figures[name] > 0
