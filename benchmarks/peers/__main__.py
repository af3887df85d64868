"""What orchestrating a tenant's month costs here, in Airflow, in Prefect, and in a run each.

    python -m benchmarks.peers [--tenants N] [--lines-per-tenant L] [--tenants-per-run N] [--few N]
                               [--tasks N] [--environments FOLDER] [--json FILE]

All do the same month of the same sample ledger, each on a copy of its own:

ours            batches of tenants, through daemon, queue and runs (benchmarks.month)
run_per_tenant  the same with one tenant in each run; a few tenants, since each takes seconds
airflow         a mapped task for each tenant, which does the tenant's work; LocalExecutor, metadata
                in the same PostgreSQL; a few tenants
airflow_warm    the same, but a task hands its tenant to warm processes and waits; all tenants
prefect         a mapped task for each tenant, to warm processes as well, since Prefect's tasks are
                threads of one process that stays; its server's records in the same PostgreSQL

Airflow and Prefect stand in virtual environments of their own, made here from `airflow.txt` and
`prefect.txt` beside this file. An Airflow task is a new process, which has to import what it needs:
ours do that once for a batch. What Airflow costs without that is `airflow_warm`. The warm processes
are as many as the cores in use.

An orchestrator's own cost is the time that passes for its month, from the first run, DAG run or
flow to its end, less the time that the same work takes without it in as many processes: of batches
for ours, of single tenants for the others. What a peer loses by not working in batches is therefore
not held against it; `…_ms_per_tenant` has it. Services are up before their month begins.

The same in CPU time says what of that is work, not waiting: of the orchestrator's processes and
PostgreSQL, less what the bare work takes. While runs wait for each other or for a busy machine,
daemons go on polling, which is in it too.

The bare work is measured before and after, and its mean is taken away. By half of what the two
differ an own cost may be wrong, so beside each ratio stands what it is at least.
"""

from __future__ import annotations

import argparse
import json
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.month import (
    CONCURRENT_RUNS,
    Queue,
    Sample,
    postmaster,
    run_by_dagster,
    run_pure,
    sample_month,
)
from benchmarks.peers.airflow_month import run_in_airflow
from benchmarks.peers.client import take_through
from benchmarks.peers.installation import PeerUnavailableError, Spent, install
from benchmarks.peers.prefect_month import run_in_prefect
from benchmarks.peers.tenant_workers import tenant_workers
from benchmarks.processes import tree_cpu_seconds
from resources.database import create_database

_WARM_PEERS = {"airflow_warm": run_in_airflow, "prefect": run_in_prefect}


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.peers", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--tenants", type=int, default=1_000)
    parser.add_argument("--lines-per-tenant", type=int, default=1_000)
    parser.add_argument("--tenants-per-run", type=int, default=500, help="of ours")
    parser.add_argument("--few", type=int, default=10, help="tenants, where each takes seconds")
    parser.add_argument(
        "--tasks", type=int, default=CONCURRENT_RUNS, help="that a peer has under way at once"
    )
    parser.add_argument(
        "--environments", type=Path, help="keeps the virtual environments here for the next time"
    )
    parser.add_argument("--json", type=Path, help="also write the figures here, as one object")
    arguments = parser.parse_args()
    # Asked to end, it still ends its services.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    with tempfile.TemporaryDirectory() as temporary:
        figures = measure(
            arguments.tenants,
            arguments.lines_per_tenant,
            tenants_per_run=arguments.tenants_per_run,
            few=arguments.few,
            tasks=arguments.tasks,
            environments=arguments.environments or Path(temporary),
        )
    for name, value in figures.items():
        print(f"{name:36}{value:>12,}" if not isinstance(value, str) else f"{name}: {value}")
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def measure(
    tenants: int,
    lines_per_tenant: int,
    *,
    tenants_per_run: int,
    few: int,
    tasks: int,
    environments: Path,
) -> dict[str, float | str]:
    """The figures by name. `…_ms_per_tenant` is the time that passes, `…_own_ms_per_tenant` the
    orchestrator's own cost, `…_over_ours` its ratio to ours, `…_over_ours_at_least` the same with
    both as wrong as they may be, `…_over_ours_unclear` why there is no ratio, and `…_skipped` why
    there is nothing at all."""
    # With runs of one tenant, Beancount would verify everybody.
    settings = {"REPORTS_VERIFIED_TENANTS_PER_RUN": "0"}
    queue = Queue(tenants_per_run)
    spent: dict[str, Spent] = {}
    skipped: dict[str, str] = {}
    with sample_month(tenants, tenants * lines_per_tenant, variables=settings) as sample:
        tenant_ids = sample.environment("tenants").tenants().active_ids()
        chosen = tenant_ids[:few]
        batches = [_batches_without_orchestrator(sample, "batches", queue)]
        ours = run_by_dagster(sample.environment("ours"), sample.month, queue)
        spent["ours"] = Spent(ours.under_way, ours.cpu).over(tenants)
        batches.append(_batches_without_orchestrator(sample, "batches_again", queue))
        singles = [_singles_without_orchestrator(sample, "singles", tenant_ids)]
        runs = run_by_dagster(
            sample.environment("runs"), sample.month, Queue(tenants_per_run=1), chosen
        )
        spent["run_per_tenant"] = Spent(runs.under_way, runs.cpu).over(len(chosen))
        try:
            airflow = _in_airflow_alone(sample, chosen, tasks, environments)
            spent["airflow"] = airflow.over(len(chosen))
        except PeerUnavailableError as error:
            skipped["airflow_skipped"] = str(error)
        for name in _WARM_PEERS:
            try:
                peer = _in_peer_with_warm_workers(name, sample, tenant_ids, tasks, environments)
                spent[name] = peer.over(tenants)
            except PeerUnavailableError as error:
                skipped[f"{name}_skipped"] = str(error)
        singles.append(_singles_without_orchestrator(sample, "singles_again", tenant_ids))
    batches = [once.over(tenants) for once in batches]
    singles = [once.over(tenants) for once in singles]
    bare = {name: batches if name == "ours" else singles for name in spent}
    wall = {
        name: own_cost(each.wall, [one.wall for one in bare[name]]) for name, each in spent.items()
    }
    cpu = {
        name: own_cost(each.cpu, [one.cpu for one in bare[name]]) for name, each in spent.items()
    }
    return {
        "tenants": tenants,
        "lines_per_tenant": lines_per_tenant,
        "tenants_per_run": tenants_per_run,
        "few": len(chosen),
        "tasks": tasks,
        "processes": CONCURRENT_RUNS,
        "pure_batches_ms_per_tenant": _milliseconds(statistics.mean(one.wall for one in batches)),
        "pure_single_tenants_ms_per_tenant": _milliseconds(
            statistics.mean(one.wall for one in singles)
        ),
        "pure_batches_spread_ms": _milliseconds(wall["ours"].noise),
        "pure_single_tenants_spread_ms": _milliseconds(wall["run_per_tenant"].noise),
        **{f"{name}_ms_per_tenant": _milliseconds(each.wall) for name, each in spent.items()},
        **{f"{name}_own_ms_per_tenant": _milliseconds(c.seconds) for name, c in wall.items()},
        **{f"{name}_own_cpu_ms_per_tenant": _milliseconds(c.seconds) for name, c in cpu.items()},
        **ratios_to_ours(wall, "over_ours"),
        **ratios_to_ours(cpu, "cpu_over_ours"),
        **skipped,
    }


@dataclass(frozen=True)
class OwnCost:
    """Seconds a tenant that an orchestrator adds; and by how much the bare work, measured before
    and after, differed from itself."""

    seconds: float
    noise: float

    @property
    def least(self) -> float:
        return self.seconds - self.noise / 2

    @property
    def most(self) -> float:
        return self.seconds + self.noise / 2


def own_cost(spent: float, bare: Sequence[float]) -> OwnCost:
    """What is left of the seconds spent when those of the bare work are taken away."""
    return OwnCost(spent - statistics.mean(bare), max(bare) - min(bare))


def ratios_to_ours(costs: Mapping[str, OwnCost], suffix: str) -> dict[str, float | str]:
    """Each orchestrator's own cost over ours, and what that is at least. Where ours may be nothing
    there is no ratio, but a sentence that says so."""
    ratios: dict[str, float | str] = {}
    ours = costs["ours"]
    for name, cost in costs.items():
        if name == "ours":
            continue
        if ours.least > 0:
            ratios[f"{name}_{suffix}"] = round(cost.seconds / ours.seconds, 2)
        else:
            ratios[f"{name}_{suffix}_unclear"] = (
                "our own cost is within the noise of the bare work: repeat it with more tenants, "
                "on a machine that nobody else uses"
            )
        ratios[f"{name}_{suffix}_at_least"] = round(max(0, cost.least) / ours.most, 2)
    return ratios


def _in_peer_with_warm_workers(
    name: str, sample: Sample, tenant_ids: Sequence[str], tasks: int, environments: Path
) -> Spent:
    programs = install(name.removesuffix("_warm"), environments)
    with tenant_workers(sample.settings(name), sample.month, CONCURRENT_RUNS) as workers:
        before = workers.cpu_seconds()
        spent = _WARM_PEERS[name](
            programs,
            create_database(sample.server_url, f"{name}_metadata"),
            sample.folder / f"peer-{name}",
            tasks,
            {
                "PEERS_WORKERS": workers.address,
                "PEERS_TENANTS": _listed(sample, f"{name}.json", tenant_ids),
            },
        )
        return Spent(spent.wall, spent.cpu + workers.cpu_seconds() - before)


def _in_airflow_alone(
    sample: Sample, tenant_ids: Sequence[str], tasks: int, environments: Path
) -> Spent:
    """Each task does its tenant's work in a process of its own."""
    programs = install("airflow", environments)
    settings = sample.settings("airflow")
    program = [sys.executable, "-m", "benchmarks.peers.tenant_alone", str(sample.month)]
    return run_in_airflow(
        programs,
        create_database(sample.server_url, "airflow_metadata"),
        sample.folder / "peer-airflow",
        tasks,
        {
            **sample.variables,
            "REPORTS_HOME": str(settings.home),
            "REPORTS_DATABASE_URL": str(settings.database_url),
            "PEERS_PROGRAM": json.dumps(program),
            "PEERS_TENANTS": _listed(sample, "airflow.json", tenant_ids),
        },
    )


def _listed(sample: Sample, name: str, tenant_ids: Sequence[str]) -> str:
    """The path of a file with these tenants, which a DAG or flow reads."""
    path = sample.folder / name
    path.write_text(json.dumps(tenant_ids))
    return str(path)


def _batches_without_orchestrator(sample: Sample, name: str, queue: Queue) -> Spent:
    month = run_pure(sample.environment(name), sample.month, queue)
    return Spent(month.wall, month.cpu)


def _singles_without_orchestrator(sample: Sample, name: str, tenant_ids: Sequence[str]) -> Spent:
    """The same single tenants, asked for by a loop."""
    with (
        tenant_workers(sample.settings(name), sample.month, CONCURRENT_RUNS) as workers,
        ThreadPoolExecutor(CONCURRENT_RUNS) as threads,
    ):
        server = postmaster(sample.server_url)
        before = workers.cpu_seconds() + tree_cpu_seconds(server)
        started = time.perf_counter()
        list(threads.map(partial(take_through, workers.address), tenant_ids))
        wall = time.perf_counter() - started
        return Spent(wall, workers.cpu_seconds() + tree_cpu_seconds(server) - before)


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 2)


if __name__ == "__main__":
    main()
