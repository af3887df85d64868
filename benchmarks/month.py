"""What a whole month costs through the real daemon, and what Dagster adds to the work itself.

    python -m benchmarks.month [--tenants N] [--lines L] [--months M] [--tenants-per-run N]
                               [--concurrent-runs N] [--json FILE]

A sample ledger is made in a fresh PostgreSQL and copied. On one copy the stage functions are called
without Dagster, batch by batch, in as many processes as runs are beside each other. On the other
the same batches are launched as `reports backfill --all --wait` does: a launch that is written
down, the sensor, the queue, a process for each run, Dagster's storage in the same server. The
daemon runs before the month begins, as it does in production. Then the same with 500 tenants (a
tenth, if that is fewer) of as many lines each.

`wall_over_pure_work` compares the time that passes: from the launch to the end of its last run, the
sensor's interval included, to the time of the bare functions.

`dagster_ms_per_tenant` is CPU time: of the daemon, the code server, the run server, the runs'
processes and PostgreSQL during the month, less that of the processes and PostgreSQL doing the bare
work. So it holds what a run's process spends before its first tenant, and what our own mechanism
for tenants in a run records. `dagster_wall_ms_per_tenant` is the difference of the times that pass,
times the cores in use: waiting counts too, which at small scale is most of it.

`per_tenant_over_500` compares CPU time of the whole month for each tenant, since the fixed waits
of a short month would flatter a long one.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import functools
import json
import logging
import multiprocessing
import os
import signal
import statistics
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any
from unittest import mock

import dagster as dg
import psycopg

from assets.monthly_reports import STAGES
from assets.tenant_batch import StageWork, TenantSelection
from benchmarks.processes import (
    command_line,
    own_cpu_seconds,
    parent,
    process_name,
    tree,
    tree_cpu_seconds,
    watched_memory,
)
from reports_pipeline.accounting.periods import Month
from reports_pipeline.environments import LocalEnvironment, Settings
from reports_pipeline.launching import (
    LAUNCH_TAG,
    add_missing_partitions,
    balanced_batches,
    request_launch,
)
from reports_pipeline.local import dagster_variables, running
from reports_pipeline.progress import (
    LaunchStalledError,
    MonthProgress,
    require_daemon,
    wait_for_runs,
)
from reports_pipeline.tokyo import last_month
from resources.database import create_database, temporary_postgres, upgrade_schema
from resources.ledger_loading import load_ledger
from resources.sample_ledger import SampleScale, sample_ledger

MONTHS = 3
TENANTS_PER_RUN = 500
CONCURRENT_RUNS = 2
_FEWER_TENANTS = 500
# A month's lines are in memory, as at the usual hosts (benchmarks.statements).
_SHARED_BUFFERS = "2GB"
_SECONDS_TO_START = 120


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--tenants", type=int, default=5_000)
    parser.add_argument("--lines", type=int, default=5_000_000, help="of all tenants in a month")
    parser.add_argument("--months", type=int, default=MONTHS, help="of the ledger")
    parser.add_argument("--tenants-per-run", type=int, default=TENANTS_PER_RUN)
    parser.add_argument("--concurrent-runs", type=int, default=CONCURRENT_RUNS)
    parser.add_argument("--json", type=Path, help="also write the figures here, as one object")
    arguments = parser.parse_args()
    # Asked to end, it still ends its services.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    figures = measure(
        arguments.tenants,
        arguments.lines,
        months=arguments.months,
        tenants_per_run=arguments.tenants_per_run,
        concurrent_runs=arguments.concurrent_runs,
    )
    for name, value in figures.items():
        print(f"{name:44}{value:>14,}")
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def measure(
    tenants: int,
    lines: int,
    *,
    months: int = MONTHS,
    tenants_per_run: int = TENANTS_PER_RUN,
    concurrent_runs: int = CONCURRENT_RUNS,
) -> dict[str, float]:
    """The figures by name. Of a stage, `…_ms_per_tenant` is the time in the runs, and
    `…_pure_ms_per_tenant` and `…_pure_cpu_ms_per_tenant` are those of the bare function; all are
    added up over processes. Sizes are of what the month wrote."""
    fewer = max(1, min(_FEWER_TENANTS, tenants // 10))
    queue = Queue(tenants_per_run, concurrent_runs)
    with sample_month(tenants, lines, months) as sample:
        pure = run_pure(sample.environment("pure"), sample.month, queue)
        environment = sample.environment("by_dagster")
        job = run_by_dagster(environment, sample.month, queue)
        written = _written(environment, sample.month)
    with sample_month(fewer, lines * fewer // tenants, months) as sample:
        small = run_by_dagster(sample.environment("by_dagster"), sample.month, queue)

    def per_tenant(seconds: float) -> float:
        return round(seconds * 1000 / tenants, 2)

    return {
        "tenants": tenants,
        "lines": lines,
        "ledger_months": months,
        "tenants_per_run": tenants_per_run,
        "concurrent_runs": concurrent_runs,
        "runs": job.runs,
        "wall_seconds": round(job.wall, 2),
        "under_way_seconds": round(job.under_way, 2),
        "pure_seconds": round(pure.wall, 2),
        "wall_over_pure_work": round(job.wall / pure.wall, 3),
        **{f"{name}_ms_per_tenant": per_tenant(spent) for name, spent in job.stages.items()},
        **{f"{name}_pure_ms_per_tenant": per_tenant(s) for name, s in pure.stages.items()},
        **{f"{name}_pure_cpu_ms_per_tenant": per_tenant(s) for name, s in pure.stages_cpu.items()},
        "wall_ms_per_tenant": per_tenant(job.wall),
        "cpu_ms_per_tenant": per_tenant(job.cpu),
        "pure_ms_per_tenant": per_tenant(pure.wall),
        "pure_cpu_ms_per_tenant": per_tenant(pure.cpu),
        "dagster_ms_per_tenant": per_tenant(job.cpu - pure.cpu),
        "dagster_wall_ms_per_tenant": per_tenant((job.wall - pure.wall) * concurrent_runs),
        "run_start_seconds": round(job.run_start, 2),
        "run_outside_stages_seconds": round(job.run_outside_stages, 2),
        **{f"{kind}_cpu_seconds": round(spent, 2) for kind, spent in job.cpu_by_kind.items()},
        "pure_workers_cpu_seconds": round(pure.workers_cpu, 2),
        "pure_postgres_cpu_seconds": round(pure.postgres_cpu, 2),
        **{f"{kind}_peak_mb": round(peak) for kind, peak in job.peaks_mb.items()},
        "pure_worker_peak_mb": round(pure.peak_mb),
        "peak_mb": round(max(job.peaks_mb.values())),
        **written,
        "events": job.events,
        "events_per_tenant": round(job.events / tenants, 2),
        "fewer_tenants": fewer,
        "fewer_wall_ms_per_tenant": round(small.wall * 1000 / fewer, 2),
        "fewer_cpu_ms_per_tenant": round(small.cpu * 1000 / fewer, 2),
        "per_tenant_over_500": round((job.cpu / tenants) / (small.cpu / fewer), 3),
        "wall_per_tenant_over_500": round((job.wall / tenants) / (small.wall / fewer), 3),
    }


@dataclass(frozen=True)
class Queue:
    """How tenants are cut into runs, and how many of these are beside each other."""

    tenants_per_run: int = TENANTS_PER_RUN
    concurrent_runs: int = CONCURRENT_RUNS


@dataclass(frozen=True)
class Sample:
    """A ledger of which each measurement gets a copy, with a folder for what it writes."""

    server_url: str
    folder: Path
    month: Month
    variables: Mapping[str, str]

    def settings(self, name: str) -> Settings:
        """Of an environment with a new copy of the ledger under this name."""
        return Settings.from_environment(
            {
                **self.variables,
                "REPORTS_HOME": str(self.folder / name),
                "REPORTS_DATABASE_URL": create_database(self.server_url, name, _TEMPLATE),
                "REPORTS_DAGSTER_URL": create_database(self.server_url, f"{name}_dagster"),
            }
        )

    def environment(self, name: str) -> LocalEnvironment:
        return LocalEnvironment(self.settings(name))


_TEMPLATE = "sample"


@contextlib.contextmanager
def sample_month(
    tenants: int, lines: int, months: int = MONTHS, variables: Mapping[str, str] | None = None
) -> Iterator[Sample]:
    """A sample ledger that ends with last month, in a throw-away server; `lines` are of all
    tenants in a month. `variables` are settings of its environments."""
    month = last_month()
    with (
        temporary_postgres(shared_buffers=_SHARED_BUFFERS) as server_url,
        tempfile.TemporaryDirectory() as folder,
    ):
        url = create_database(server_url, _TEMPLATE)
        upgrade_schema(url)
        scale = SampleScale(tenants, month.plus(1 - months), months, lines)
        load_ledger(url, sample_ledger(scale, seed=1), replace=False)
        yield Sample(server_url, Path(folder), month, variables or {})


@dataclass(frozen=True)
class PureMonth:
    """Seconds of the stage functions without Dagster; of stages, added up over processes."""

    wall: float
    stages: Mapping[str, float]
    stages_cpu: Mapping[str, float]
    workers_cpu: float
    postgres_cpu: float
    peak_mb: float

    @property
    def cpu(self) -> float:
        return self.workers_cpu + self.postgres_cpu


def run_pure(environment: LocalEnvironment, month: Month, queue: Queue) -> PureMonth:
    """The month of all tenants without Dagster, in processes that are warm."""
    server = postmaster(environment.database_url)
    batches = _batches(environment, month, queue)
    with (
        warm_processes(environment.settings, queue.concurrent_runs) as (workers, pids),
        watched_memory(os.getpid(), _kind_of_pure) as peaks,
    ):
        postgres_before = tree_cpu_seconds(server)
        before = sum(map(tree_cpu_seconds, pids))
        started = time.perf_counter()
        work = [(environment.settings, month, batch) for batch in batches]
        spent = list(workers.map(run_stages, *zip(*work, strict=True)))
        wall = time.perf_counter() - started
        return PureMonth(
            wall=wall,
            stages=_added_up([stages for stages, _ in spent]),
            stages_cpu=_added_up([cpu for _, cpu in spent]),
            workers_cpu=sum(map(tree_cpu_seconds, pids)) - before,
            postgres_cpu=tree_cpu_seconds(server) - postgres_before,
            peak_mb=peaks["worker"],
        )


@contextlib.contextmanager
def warm_processes(
    settings: Settings, count: int
) -> Iterator[tuple[ProcessPoolExecutor, Sequence[int]]]:
    """So many processes that have imported and connected what a batch needs; and their ids."""
    spawn = multiprocessing.get_context("spawn")
    everybody = spawn.Barrier(count)
    with ProcessPoolExecutor(
        count, mp_context=spawn, initializer=_know, initargs=(everybody,)
    ) as workers:
        yield workers, list(workers.map(_warm_up, [settings] * count))


_everybody: Barrier


def _know(everybody: Barrier) -> None:
    global _everybody
    _everybody = everybody


def _warm_up(settings: Settings) -> int:
    _environment(settings).tenants().active_ids()
    _everybody.wait()  # so that no process takes the turn of another
    return os.getpid()


def run_stages(
    settings: Settings, month: Month, tenant_ids: Sequence[str]
) -> tuple[dict[str, float], dict[str, float]]:
    """Take tenants through all stages here; seconds of each stage, and CPU seconds of this process
    and those that it started, in steps of the kernel's clock (10 ms).

    Raises:
        RuntimeError: a tenant failed.
    """
    environment = _environment(settings)
    seconds, cpu_seconds = {}, {}
    artefacts: dict[str, dict[str, str]] = {}
    run_id = f"benchmark-{tenant_ids[0]}"
    with environment.delivery_register("benchmark") as delivery_register:
        given: dict[str, Any] = {
            "tenant_selection": TenantSelection(),
            "delivery_register": delivery_register,
        }
        for stage in STAGES:
            work = StageWork(month, tenant_ids, run_id, artefacts, logging.getLogger(__name__))
            resources = {
                # Its methods have the names of the roles, as reports_pipeline.build has them.
                role: given[role] if role in given else getattr(environment, role)()
                for role in stage.resource_keys
            }
            # Documents are made in a process of their own, so process_time() would miss them.
            started, cpu_started = time.perf_counter(), tree_cpu_seconds(os.getpid())
            result = stage.function(work, **resources)
            seconds[stage.name] = time.perf_counter() - started
            cpu_seconds[stage.name] = tree_cpu_seconds(os.getpid()) - cpu_started
            if result.failures:
                raise RuntimeError(f"{stage.name}: {result.failures[0]}")
            artefacts[stage.name] = {t: made.key for t, made in result.artefacts.items()}
    return seconds, cpu_seconds


@functools.cache
def _environment(settings: Settings) -> LocalEnvironment:
    return LocalEnvironment(settings)


@dataclass(frozen=True)
class DagsterMonth:
    """Seconds of a month through daemon, queue and runs: `wall` from the launch, `under_way` from
    the creation of its first run, both to the end of its last. `run_start` is the median of what
    passes between a run's launch and its start, `run_outside_stages` that of what passes outside
    its stages; CPU and peaks are those of all processes, by kind."""

    wall: float
    under_way: float
    runs: int
    stages: Mapping[str, float]
    run_start: float
    run_outside_stages: float
    cpu_by_kind: Mapping[str, float]
    peaks_mb: Mapping[str, float]
    events: int

    @property
    def cpu(self) -> float:
        return sum(self.cpu_by_kind.values())


def run_by_dagster(
    environment: LocalEnvironment,
    month: Month,
    queue: Queue,
    tenant_ids: Sequence[str] | None = None,
) -> DagsterMonth:
    """The month of these tenants, or all, as an operator launches it.

    Raises:
        RuntimeError: a tenant failed, or has no result.
    """
    settings = dataclasses.replace(environment.settings, concurrent_runs=queue.concurrent_runs)
    environment = LocalEnvironment(settings)
    variables = {
        **os.environ,
        **dagster_variables(environment),
        "REPORTS_FIRST_MONTH": str(settings.first_month or ""),
        "REPORTS_TENANTS_PER_RUN": str(queue.tenants_per_run),
        "REPORTS_VERIFIED_TENANTS_PER_RUN": str(settings.verified_tenants_per_run),
    }
    log = settings.home / "dagster" / "daemon.log"
    with (
        mock.patch.dict(os.environ, variables),
        dg.DagsterInstance.get() as instance,
    ):
        add_missing_partitions(instance, environment.tenants().all_ids())
        with running(environment, "dagster._daemon", "run", log=log) as daemon:

            def check_daemon() -> None:
                if daemon.poll() is not None:
                    raise LaunchStalledError(f"Dagster's daemon stopped; see {log}")

            _wait_for_daemon(instance, check_daemon)
            server = postmaster(environment.database_url)
            before = _cpu_by_kind(daemon.pid, server)
            events = _count_events(environment)
            with watched_memory(daemon.pid, _kind) as peaks:
                started = time.perf_counter()
                launch = request_launch(
                    environment.launches(),
                    environment.tenants(),
                    launch_id="benchmark",
                    month=month,
                    tenant_ids=tenant_ids,
                    tenants_per_run=queue.tenants_per_run,
                    requested_by="benchmark",
                )
                run_ids = wait_for_runs(instance, launch, check_daemon=check_daemon)
                wall = time.perf_counter() - started
            after = _cpu_by_kind(daemon.pid, server)
        launched = [tenant_id for batch in launch.batches for tenant_id in batch]
        progress = MonthProgress.read(environment.stage_outcomes(), month, launched, run_ids)
        if len(progress.delivered) != len(launched):
            runs = instance.get_runs(dg.RunsFilter(tags={LAUNCH_TAG: launch.launch_id}))
            raise RuntimeError(
                f"{len(progress.delivered)} of {len(launched)} tenants delivered; "
                f"runs: {Counter(run.status.value for run in runs)}; "
                f"failures: {list(progress.failures.values())[:3]}"
            )
        return DagsterMonth(
            wall=wall,
            cpu_by_kind={kind: after[kind] - before[kind] for kind in after},
            peaks_mb=dict(peaks),
            events=_count_events(environment) - events,
            **_times_of_runs(instance, launch.launch_id),
        )


def _wait_for_daemon(instance: dg.DagsterInstance, check_daemon: Callable[[], None]) -> None:
    """Return when the daemon has loaded the definitions and its services have begun."""
    deadline = time.monotonic() + _SECONDS_TO_START
    while True:
        check_daemon()
        try:
            return require_daemon(instance)
        except LaunchStalledError:
            if time.monotonic() > deadline:
                raise
        time.sleep(0.2)


def _times_of_runs(instance: dg.DagsterInstance, launch_id: str) -> dict[str, Any]:
    """The fields of DagsterMonth that Dagster's own records tell."""
    records = instance.get_run_records(dg.RunsFilter(tags={LAUNCH_TAG: launch_id}))
    stages: dict[str, float] = defaultdict(float)
    starts, outside, ends = [], [], []
    for record in records:
        run_id = record.dagster_run.run_id
        run = instance.get_run_stats(run_id)
        assert run.launch_time is not None
        assert run.start_time is not None
        assert run.end_time is not None
        in_stages = 0.0
        for step in instance.get_run_step_stats(run_id):
            assert step.start_time is not None
            assert step.end_time is not None
            name = step.step_key.rpartition(".")[2].removesuffix("_stage")
            stages[name] += step.end_time - step.start_time
            in_stages += step.end_time - step.start_time
        starts.append(run.start_time - run.launch_time)
        outside.append(run.end_time - run.launch_time - in_stages)
        ends.append(run.end_time)
    first = min(record.create_timestamp.timestamp() for record in records)
    return {
        "runs": len(records),
        "under_way": max(ends) - first,
        "stages": {stage.name: stages[stage.name] for stage in STAGES},
        "run_start": statistics.median(starts),
        "run_outside_stages": statistics.median(outside),
    }


def _cpu_by_kind(daemon: int, server: int) -> dict[str, float]:
    """CPU seconds so far of Dagster's processes and PostgreSQL's."""
    own = {"daemon": 0.0, "code_server": 0.0, "run_server": 0.0}
    for member in tree(daemon):
        if (kind := _kind(member)) in own:
            own[kind] += own_cpu_seconds(member)
    return {
        **own,
        "run_workers": tree_cpu_seconds(daemon) - sum(own.values()),
        "postgres": tree_cpu_seconds(server),
    }


def _kind(pid: int) -> str:
    command = command_line(pid)
    if "dagster._daemon" in command:
        return "daemon"
    if "api grpc" in command:
        return "code_server"
    if process_name(pid) == "run_server":
        return "run_server"
    return "rendering_worker" if "resources.worker_process" in command else "run_worker"


def _kind_of_pure(pid: int) -> str:
    return "benchmark" if pid == os.getpid() else "worker"


def postmaster(url: str) -> int:
    """PostgreSQL's first process, which started all others."""
    with psycopg.connect(url) as connection:
        return parent(connection.info.backend_pid)


def _count_events(environment: LocalEnvironment) -> int:
    url = environment.settings.dagster_url
    assert url is not None
    with psycopg.connect(url) as connection:
        [(count,)] = connection.execute("select count(*) from event_logs").fetchall()
        assert isinstance(count, int)
        return count


def _written(environment: LocalEnvironment, month: Month) -> dict[str, float]:
    """Files and bytes that the month left."""
    folders = {
        "document": environment.documents_folder / "reports",
        "intermediate": environment.documents_folder / "intermediates",
        "mail": environment.outbox_folder / str(month),
    }
    figures: dict[str, float] = {}
    for name, folder in folders.items():
        files = [path for path in folder.rglob("*") if path.is_file()]
        figures[f"{name}_files"] = len(files)
        figures[f"{name}_bytes"] = sum(path.stat().st_size for path in files)
    return figures


def _batches(environment: LocalEnvironment, month: Month, queue: Queue) -> Sequence[Sequence[str]]:
    """The batches that a launch would have."""
    tenants = environment.tenants()
    counts = tenants.line_counts(month, tenants.active_ids())
    return balanced_batches(counts, queue.tenants_per_run)


def _added_up(parts: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {stage.name: sum(part[stage.name] for part in parts) for stage in STAGES}


if __name__ == "__main__":
    main()
