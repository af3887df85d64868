"""The part of the benchmark that runs without Dagster's services, which take too long to start."""

from __future__ import annotations

import pytest

from assets.monthly_reports import STAGES
from benchmarks.month import Queue, run_pure, run_stages, sample_month


def test_the_pure_month_writes_every_document_and_mail() -> None:
    with sample_month(tenants=4, lines=400) as sample:
        environment = sample.environment("pure")
        month = run_pure(environment, sample.month, Queue(tenants_per_run=2, concurrent_runs=2))
        for seconds in (month.stages, month.stages_cpu):
            assert list(seconds) == [stage.name for stage in STAGES]
            assert sum(seconds.values()) > 0
        assert month.peak_mb > 0
        assert 0 < month.workers_cpu < month.cpu
        documents = environment.documents_folder / "reports"
        for tenant_id in ("t0001", "t0002", "t0003", "t0004"):
            folder = documents / tenant_id / str(sample.month) / "r1"
            assert len(list(folder.glob("*.pdf"))) >= 4
            assert len(list(folder.glob("*.xlsx"))) >= 3
            assert list((environment.outbox_folder / str(sample.month)).glob(f"{tenant_id}_*.eml"))
        with pytest.raises(RuntimeError, match="t0404"):
            run_stages(environment.settings, sample.month, ["t0404"])
