"""The benchmark runs, and names the figures that are promised."""

from __future__ import annotations

from benchmarks.statements import measure


def test_every_figure_is_measured() -> None:
    figures = measure(tenants=3, lines=300, history_months=26)
    assert figures["tenants"] == 3
    assert figures["lines"] >= 3 * 45
    assert figures["batches"] == 1
    for name in (
        "ratio_to_copy_limit",
        "ratio_to_copy_limit_one_process",
        "ratio_to_copy_limit_with_history",
        "extract_seconds",
        "statements_seconds",
        "ms_per_tenant",
        "peak_mb",
    ):
        assert figures[name] > 0
