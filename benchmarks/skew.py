"""What one company of very many lines costs in a batch, and that whoever takes too much is blocked
alone.

    python -m benchmarks.skew [--tenants N] [--lines L] [--claims C] [--rounds R] [--json FILE]

Real runs of one batch each, in a process of their own, on copies of one ledger: of the giant alone,
of the usual companies and one that has nothing, and of all these together. They take turns, a
round each, and medians are printed. `giant_…` are of the run of the giant alone: what each stage
took, and what the run's process (`run_mb`) and the one that makes documents (`worker_mb`) held at
most. `neighbours_cpu_ms_…` is what one of the others costs, with the giant in the run (what it
costs alone is subtracted, the start of its worker too) and without. CPU time is of the run, of
what it started, and of PostgreSQL.

Then the proof: a batch with all of them, a company that no budget of seconds is enough for, one
that no budget of memory is enough for, and one whose document is interrupted by a SIGKILL of the
process that makes it. It fails unless the two are blocked with BUDGET_EXCEEDED and everybody else
has mails. The giant wants small mails, so it gets links. `--seconds` and `--megabytes` are the
budget of a tenant, and `--accounts` and `--large-claims` how much is too much for it. It is smaller
than production's, so that exceeding it takes seconds.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import signal
import statistics
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from email import message_from_bytes
from email.policy import default
from pathlib import Path

import dagster as dg
from dagster._core.definitions.reconstruct import ReconstructableRepository

from assets.documents import documents_folder
from assets.monthly_reports import STAGES
from assets.tenant_batch import TenantSelection
from benchmarks.month import postmaster
from benchmarks.processes import command_line, tree, tree_cpu_seconds
from benchmarks.skewed_ledger import (
    EMPTY,
    FIRST,
    GIANT,
    KILLED,
    LARGE,
    SLOW,
    Skew,
    skewed_ledger,
)
from reports_pipeline.accounting.failures import FailureCode, TenantFailure
from reports_pipeline.accounting.periods import Month
from reports_pipeline.delivery.preferences import DEFAULT_PREFERENCES
from reports_pipeline.documents.catalogs import failure_text
from reports_pipeline.environments import LocalEnvironment, Settings
from reports_pipeline.launching import add_missing_partitions
from reports_pipeline.local import DEFINITIONS, dagster_instance
from reports_pipeline.progress import MonthProgress
from reports_pipeline.tokyo import last_month
from resources.budgets import Budget
from resources.database import create_database, temporary_postgres, upgrade_schema
from resources.ledger_loading import load_ledger

_SHARED_BUFFERS = "1GB"
_SECONDS_BETWEEN_LOOKS = 0.05
_SECONDS_TO_STORE = 0.1
_GIANTS_LARGEST_MAIL = 100_000  # bytes
_TEMPLATE = "skewed"
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--tenants", type=int, default=100, help="of the whole batch")
    parser.add_argument("--usual-lines", type=int, default=1_000, help="of each usual company")
    parser.add_argument("--lines", type=int, default=500_000, help="of the giant in the month")
    parser.add_argument("--claims", type=int, default=30_000, help="of the giant")
    parser.add_argument("--accounts", type=int, default=50_000, help="of the slow company")
    parser.add_argument("--large-claims", type=int, default=300_000, help="of the large company")
    parser.add_argument("--seconds", type=float, default=15)
    parser.add_argument("--megabytes", type=int, default=600)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, help="also write the figures here, as one object")
    arguments = parser.parse_args()
    skew = Skew(
        usual=arguments.tenants - 5,
        usual_lines=arguments.usual_lines,
        giant_lines=arguments.lines,
        giant_claims=arguments.claims,
        killed_accounts=3_000,
        slow_accounts=arguments.accounts,
        large_claims=arguments.large_claims,
    )
    budget = Budget(arguments.seconds, arguments.megabytes)
    with SkewedMonth.made(skew, budget) as month:
        figures = measure(month, arguments.rounds) if arguments.rounds else {}
        _show(figures)
        proof = prove(month)
    _show(proof.figures)
    for tenant_id, failure in sorted(proof.blocked.items()):
        print(f"{tenant_id}: {failure.code}: {failure_text(failure, 'en')}")
    figures |= proof.figures
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def _show(figures: Mapping[str, float]) -> None:
    for name, value in figures.items():
        print(f"{name:52}{value:>14,}", flush=True)


@dataclass(frozen=True)
class SkewedMonth:
    """A ledger of which each run gets a copy, with a folder for what it leaves."""

    skew: Skew
    month: Month
    server_url: str
    folder: Path
    variables: Mapping[str, str]

    @classmethod
    @contextmanager
    def made(cls, skew: Skew, budget: Budget) -> Iterator[SkewedMonth]:
        """Last month in a throw-away server, in environments with this budget of a tenant."""
        month = last_month()
        variables = {
            "REPORTS_FIRST_MONTH": str(month),
            "REPORTS_TENANT_SECONDS": f"{budget.seconds:g}",
            "REPORTS_TENANT_MEGABYTES": str(budget.megabytes),
            "REPORTS_VERIFIED_TENANTS_PER_RUN": "0",
        }
        with (
            temporary_postgres(shared_buffers=_SHARED_BUFFERS) as server_url,
            tempfile.TemporaryDirectory() as folder,
        ):
            url = create_database(server_url, _TEMPLATE)
            upgrade_schema(url)
            load_ledger(url, skewed_ledger(skew, month), replace=False)
            yield cls(skew, month, server_url, Path(folder), variables)

    def batch(self, name: str, tenant_ids: Sequence[str]) -> Batch:
        """A batch of these tenants on a copy of the ledger."""
        variables = {
            **self.variables,
            "REPORTS_HOME": str(self.folder / name),
            "REPORTS_DATABASE_URL": create_database(self.server_url, name, _TEMPLATE),
            "REPORTS_DAGSTER_URL": create_database(self.server_url, f"{name}_dagster"),
        }
        return Batch(self.month, sorted(tenant_ids), variables)


@dataclass(frozen=True)
class Sight:
    """What a look at the processes of a run saw: CPU seconds so far, PostgreSQL's with them, and
    the MB that the run's process and the one that makes documents held."""

    at: float  # seconds since 1970
    cpu_seconds: float
    run_mb: float
    worker_mb: float


@dataclass(frozen=True)
class Stage:
    """What a stage took; the MB are the most that each of the two processes held."""

    seconds: float
    cpu_seconds: float
    run_mb: float
    worker_mb: float


@dataclass(frozen=True)
class BatchRun:
    """A run, and what its stages took."""

    seconds: float
    stages: Mapping[str, Stage]

    @property
    def cpu_seconds(self) -> float:
        """Of the stages."""
        return sum(stage.cpu_seconds for stage in self.stages.values())

    @property
    def peak_mb(self) -> float:
        """Of the run's process, in its stages."""
        return max(stage.run_mb for stage in self.stages.values())


@dataclass(frozen=True)
class Batch:
    """Tenants whose month is run, once."""

    month: Month
    tenant_ids: Sequence[str]
    variables: Mapping[str, str]

    @property
    def environment(self) -> LocalEnvironment:
        return LocalEnvironment(Settings.from_environment(self.variables))

    def run(self, watch: Callable[[int], None] | None = None) -> BatchRun:
        """Run it in a process of its own; many times a second `watch` is told its id."""
        sights: list[Sight] = []
        ended = threading.Event()
        server = postmaster(self.environment.database_url)
        spawn = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(1, mp_context=spawn) as runner:
            pid = runner.submit(os.getpid).result()

            def look() -> None:
                while not ended.wait(_SECONDS_BETWEEN_LOOKS):
                    sights.append(_sight(pid, server))
                    if watch is not None:
                        watch(pid)

            watcher = threading.Thread(target=look, daemon=True)
            watcher.start()
            try:
                work = runner.submit(_run, self.variables, self.month, self.tenant_ids)
                seconds, stages = work.result()
            finally:
                ended.set()
                watcher.join()
        return BatchRun(seconds, {name: _stage(sights, *times) for name, times in stages.items()})

    def documents(self, tenant_id: str, pattern: str) -> list[Path]:
        """Those of a tenant that are stored."""
        folder = documents_folder(tenant_id, self.month, 1)
        return list((self.environment.documents_folder / folder).glob(pattern))

    def mails(self, tenant_id: str) -> list[Path]:
        folder = self.environment.outbox_folder / str(self.month)
        return list(folder.glob(f"{tenant_id}_*.eml"))


def _run(
    variables: Mapping[str, str], month: Month, tenant_ids: Sequence[str]
) -> tuple[float, dict[str, tuple[float, float]]]:
    """Execute a run of the tenants here, as a run's process does. Returns how many seconds it took,
    and when each of its stages began and ended."""
    os.environ.update(variables)  # of which the definitions are made
    environment = LocalEnvironment(Settings.from_environment(variables))
    with dagster_instance(environment) as instance, _stderr_to(environment.settings.home):
        add_missing_partitions(instance, tenant_ids)
        repository = ReconstructableRepository.for_module(DEFINITIONS, "defs")
        job = repository.get_reconstructable_job("__ASSET_JOB")
        started = time.perf_counter()
        result = dg.execute_job(
            job, instance=instance, run_config=TenantSelection.run_config(month, tenant_ids)
        )
        seconds = time.perf_counter() - started
        stages = {}
        for step in instance.get_run_step_stats(result.run_id):
            assert step.start_time is not None
            assert step.end_time is not None
            name = step.step_key.rpartition(".")[2].removesuffix("_stage")
            stages[name] = step.start_time, step.end_time
        return seconds, {stage.name: stages[stage.name] for stage in STAGES}


@contextmanager
def _stderr_to(folder: Path) -> Iterator[None]:
    """Dagster's log of the run goes to a file."""
    kept = os.dup(2)
    with (folder / "run.log").open("ab") as log:
        os.dup2(log.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def measure(month: SkewedMonth, rounds: int) -> dict[str, float]:
    """The figures of the giant and of its neighbours, by name."""
    neighbours = [*month.skew.usual_tenants, EMPTY]
    batches = {"giant": [GIANT], "without": neighbours, "with_giant": [GIANT, *neighbours]}
    runs: dict[str, list[BatchRun]] = defaultdict(list)
    for number in range(rounds):
        for name, tenant_ids in batches.items():
            batch = month.batch(f"{name}{number}", tenant_ids)
            runs[name].append(batch.run())
            if failures := _failures(batch):
                raise RuntimeError(f"{name}: {failures}")

    def median(name: str, value: Callable[[BatchRun], float]) -> float:
        return statistics.median(map(value, runs[name]))

    figures: dict[str, float] = {
        "neighbours": len(neighbours),
        "giant_lines": month.skew.giant_lines,
        "giant_claims": month.skew.giant_claims,
    }
    for name in (stage.name for stage in STAGES):
        stages = [run.stages[name] for run in runs["giant"]]
        figures |= {
            f"giant_{name}_seconds": round(statistics.median(s.seconds for s in stages), 2),
            f"giant_{name}_cpu_seconds": round(statistics.median(s.cpu_seconds for s in stages), 2),
            f"giant_{name}_run_mb": round(statistics.median(s.run_mb for s in stages)),
            f"giant_{name}_worker_mb": round(statistics.median(s.worker_mb for s in stages)),
        }
    giant = median("giant", lambda run: run.cpu_seconds)
    without = median("without", lambda run: run.cpu_seconds)
    beside = median("with_giant", lambda run: run.cpu_seconds) - giant
    return figures | {
        "giant_cpu_seconds": round(giant, 2),
        **{f"run_{name}_seconds": round(median(name, lambda r: r.seconds), 2) for name in batches},
        **{f"run_{name}_peak_mb": round(median(name, lambda r: r.peak_mb)) for name in batches},
        "neighbours_cpu_ms_without_giant": round(without * 1000 / len(neighbours), 2),
        "neighbours_cpu_ms_with_giant": round(beside * 1000 / len(neighbours), 2),
        "neighbours_with_giant_over_without": round(beside / without, 3),
    }


@dataclass(frozen=True)
class Proof:
    """Who was blocked in the batch of all, and its figures."""

    blocked: Mapping[str, TenantFailure]
    figures: Mapping[str, float]


def prove(month: SkewedMonth) -> Proof:
    """Run the batch of all.

    Raises:
        RuntimeError: others than SLOW and LARGE were blocked, or these for something else;
            somebody has no mail or a wrong one; or nobody's document was interrupted.
    """
    everybody = [*month.skew.usual_tenants, KILLED, GIANT, EMPTY, SLOW, LARGE]
    batch = month.batch("proof", everybody)
    batch.environment.delivery_preferences().set(
        GIANT,
        replace(DEFAULT_PREFERENCES, largest_mail_bytes=_GIANTS_LARGEST_MAIL),
        set_by="benchmark",
    )
    killer = _Killer(batch)
    run = batch.run(killer.look)
    blocked = _failures(batch)
    found = {t: (failure.code, failure.details.get("what")) for t, failure in blocked.items()}
    if found != {
        SLOW: (FailureCode.BUDGET_EXCEEDED, "seconds"),
        LARGE: (FailureCode.BUDGET_EXCEEDED, "megabytes"),
    }:
        raise RuntimeError(f"blocked: {found}")
    if mailed := {t for t in everybody if batch.mails(t)} ^ (set(everybody) - {SLOW, LARGE}):
        raise RuntimeError(f"with a mail and blocked, or with neither: {sorted(mailed)}")
    if not killer.killed:
        raise RuntimeError(f"the document of {KILLED} was made before it could be interrupted")
    [mail, *_] = batch.mails(GIANT)
    letter = message_from_bytes(mail.read_bytes(), policy=default)
    if list(letter.iter_attachments()):
        raise RuntimeError(f"the mail to {GIANT} has attachments")
    return Proof(
        blocked,
        {
            "proof_tenants": len(everybody),
            "proof_mailed": len(everybody) - len(blocked),
            "proof_workers_killed": killer.killed,
            "proof_seconds": round(run.seconds, 2),
            **{f"proof_{name}_seconds": round(s.seconds, 2) for name, s in run.stages.items()},
            "proof_run_peak_mb": round(run.peak_mb),
            "proof_worker_peak_mb": round(max(s.worker_mb for s in run.stages.values())),
            "giant_documents_bytes": sum(p.stat().st_size for p in batch.documents(GIANT, "*")),
            "giant_mail_bytes": mail.stat().st_size,
        },
    )


@dataclass
class _Killer:
    """Ends the process that makes documents, once, while it is at those of KILLED: FIRST has its
    PDFs, and for a while KILLED has none."""

    batch: Batch
    killed: int = 0

    def look(self, pid: int) -> None:
        made = self.batch.documents(FIRST, "*.pdf")
        if self.killed or not made or self.batch.documents(KILLED, "*.pdf"):
            return
        # One after the other is stored within a moment.
        if time.time() - max(path.stat().st_mtime for path in made) < _SECONDS_TO_STORE:
            return
        if (worker := _worker(pid)) is not None:
            with suppress(ProcessLookupError):
                os.kill(worker, signal.SIGKILL)
                self.killed += 1


def _failures(batch: Batch) -> dict[str, TenantFailure]:
    outcomes = batch.environment.stage_outcomes()
    return MonthProgress.read(outcomes, batch.month, batch.tenant_ids).failures


def _worker(pid: int) -> int | None:
    """The process that makes documents for a run, if there is one now."""
    workers = [p for p in tree(pid) if "resources.worker_process" in command_line(p)]
    return workers[0] if workers else None


def _sight(pid: int, server: int) -> Sight:
    worker = _worker(pid)
    return Sight(
        time.time(),
        tree_cpu_seconds(pid) + tree_cpu_seconds(server),
        run_mb=_resident_mb(pid),
        worker_mb=0 if worker is None else _resident_mb(worker),
    )


def _stage(sights: Sequence[Sight], start: float, end: float) -> Stage:
    """What the looks between the two moments saw; one that is too short has none."""
    during = [sight for sight in sights if start <= sight.at <= end]
    if not during:
        return Stage(end - start, 0, 0, 0)
    return Stage(
        end - start,
        during[-1].cpu_seconds - during[0].cpu_seconds,
        run_mb=max(sight.run_mb for sight in during),
        worker_mb=max(sight.worker_mb for sight in during),
    )


def _resident_mb(pid: int) -> float:
    try:
        pages = Path(f"/proc/{pid}/statm").read_text().split()[1]
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return int(pages) * _PAGE_BYTES / 1_000_000


if __name__ == "__main__":
    main()
