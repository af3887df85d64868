"""What orchestrating a tenant's month costs here, in Airflow, in Prefect, and in a run each.

    python -m benchmarks.peers [--tenants N] [--lines-per-tenant L] [--single-runs N]
                               [--tasks N] [--environments FOLDER] [--json FILE]

All do the same month of the same sample ledger, each on a copy of its own:

ours      batches of a hundred tenants, through daemon, queue and runs (benchmarks.month)
runs      the same with one tenant in each run; fewer tenants, since each takes seconds
Airflow   a mapped task for each tenant; LocalExecutor, metadata in the same PostgreSQL
Prefect   a mapped task for each tenant; threads, its server's records in the same PostgreSQL

Airflow and Prefect stand in virtual environments of their own, made here from `airflow.txt` and
`prefect.txt` beside this file. A task hands its tenant to warm processes outside, as many as the
cores in use, and waits; so neither has to import the stages for each tenant, as ours do for each
run.

An orchestrator's own cost is the time that passes for its month, from the first run, DAG run or
flow to its end, less the time that the same work takes without it in as many processes: of batches
for ours, of single tenants for the others. What a peer loses by not working in batches is therefore
not held against it; `…_ms_per_tenant` has it. Services are up before their month begins.

The same in CPU time says what of that is work, not waiting: of the orchestrator's processes and
PostgreSQL, less what the bare work takes. While runs wait for each other or for a busy machine,
daemons go on polling, which is in it too.

The bare work is measured before and after. An own cost that is smaller than the difference of the
two says nothing, and no ratio is made of it.
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

_PEERS = {"airflow": run_in_airflow, "prefect": run_in_prefect}


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.peers", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--tenants", type=int, default=400)
    parser.add_argument("--lines-per-tenant", type=int, default=1_000)
    parser.add_argument("--single-runs", type=int, default=10, help="runs of one tenant each")
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
            single_runs=arguments.single_runs,
            tasks=arguments.tasks,
            environments=arguments.environments or Path(temporary),
        )
    for name, value in figures.items():
        print(f"{name:36}{value:>12,}" if not isinstance(value, str) else f"{name}: {value}")
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def measure(
    tenants: int, lines_per_tenant: int, *, single_runs: int, tasks: int, environments: Path
) -> dict[str, float | str]:
    """The figures by name. `…_ms_per_tenant` is the time that passes, `…_own_ms_per_tenant` the
    orchestrator's own cost, `…_over_ours` its ratio to ours, `…_over_ours_unclear` why there is no
    ratio, and `…_skipped` why there is nothing at all."""
    # With runs of one tenant, Beancount would verify everybody.
    settings = {"REPORTS_VERIFIED_TENANTS_PER_RUN": "0"}
    with sample_month(tenants, tenants * lines_per_tenant, variables=settings) as sample:
        tenant_ids = sample.environment("tenants").tenants().active_ids()
        chosen = tenant_ids[:single_runs]
        batches = [_batches_without_orchestrator(sample, "batches")]
        month = run_by_dagster(sample.environment("ours"), sample.month, Queue())
        batches.append(_batches_without_orchestrator(sample, "batches_again"))
        singles = [_singles_without_orchestrator(sample, "singles", tenant_ids)]
        runs = run_by_dagster(
            sample.environment("runs"), sample.month, Queue(tenants_per_run=1), chosen
        )
        peers: dict[str, Spent] = {}
        skipped: dict[str, str] = {}
        for name in _PEERS:
            try:
                peers[name] = _in_peer(name, sample, tenant_ids, tasks, environments)
            except PeerUnavailableError as error:
                skipped[f"{name}_skipped"] = str(error)
        singles.append(_singles_without_orchestrator(sample, "singles_again", tenant_ids))
    batches = [spent.over(tenants) for spent in batches]
    singles = [spent.over(tenants) for spent in singles]
    spent = {
        "ours": Spent(month.under_way, month.cpu).over(tenants),
        "run_per_tenant": Spent(runs.under_way, runs.cpu).over(len(chosen)),
        **{name: peer.over(tenants) for name, peer in peers.items()},
    }
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
        "single_runs": len(chosen),
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


def own_cost(spent: float, bare: Sequence[float]) -> OwnCost:
    """What is left of the seconds spent when those of the bare work are taken away."""
    return OwnCost(spent - statistics.mean(bare), max(bare) - min(bare))


def ratios_to_ours(costs: Mapping[str, OwnCost], suffix: str) -> dict[str, float | str]:
    """Each orchestrator's own cost over ours. Where one of the two is within the noise there is no
    ratio, but a sentence that says so."""
    ratios: dict[str, float | str] = {}
    ours = costs["ours"]
    for name, cost in costs.items():
        if name == "ours":
            continue
        if ours.seconds > ours.noise and cost.seconds > cost.noise:
            ratios[f"{name}_{suffix}"] = round(cost.seconds / ours.seconds, 2)
        else:
            ratios[f"{name}_{suffix}_unclear"] = (
                "own costs are within the noise of the bare work: repeat it with more tenants, "
                "on a machine that nobody else uses"
            )
    return ratios


def _in_peer(
    name: str, sample: Sample, tenant_ids: Sequence[str], tasks: int, environments: Path
) -> Spent:
    programs = install(name, environments)
    listed = sample.folder / f"{name}.json"
    listed.write_text(json.dumps(tenant_ids))
    with tenant_workers(sample.settings(name), sample.month, CONCURRENT_RUNS) as workers:
        variables = {"PEERS_WORKERS": workers.address, "PEERS_TENANTS": str(listed)}
        url = create_database(sample.server_url, f"{name}_metadata")
        before = workers.cpu_seconds()
        spent = _PEERS[name](programs, url, sample.folder / f"peer-{name}", tasks, variables)
        return Spent(spent.wall, spent.cpu + workers.cpu_seconds() - before)


def _batches_without_orchestrator(sample: Sample, name: str) -> Spent:
    month = run_pure(sample.environment(name), sample.month, Queue())
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
