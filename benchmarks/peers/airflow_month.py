"""Runs the month in Airflow, with the LocalExecutor and its metadata in PostgreSQL."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import time
from collections.abc import Mapping
from pathlib import Path

import psycopg

from benchmarks.month import postmaster
from benchmarks.peers.installation import (
    PROJECT,
    PeerUnavailableError,
    Spent,
    answers,
    free_port,
    run,
    service,
    wait_until,
)
from benchmarks.processes import tree_cpu_seconds

_DAG = "tenant_months"


def run_in_airflow(
    programs: Path, database_url: str, folder: Path, tasks: int, variables: Mapping[str, str]
) -> Spent:
    """From the DAG run's being queued to its end, as Airflow has them; `variables` are those that
    its DAG reads.

    Raises:
        PeerUnavailableError: it does not start.
        RuntimeError: the DAG run failed.
    """
    dags = folder / "dags"
    dags.mkdir(parents=True)
    shutil.copy(Path(__file__).with_name("airflow_dag.py"), dags)
    port = free_port()
    environment = {
        **os.environ,
        **variables,
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(PROJECT),
        "AIRFLOW_HOME": str(folder),
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__PARALLELISM": str(tasks),
        "AIRFLOW__CORE__MAX_MAP_LENGTH": "100000",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
        "AIRFLOW__API__BASE_URL": f"http://127.0.0.1:{port}",
        "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_urlsafe(48),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": _with_driver(database_url, "psycopg2"),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC": _with_driver(database_url, "asyncpg"),
    }
    airflow = str(programs / "airflow")
    run([airflow, "db", "migrate"], environment)
    api_server = [airflow, "api-server", "--host", "127.0.0.1", "--port", str(port)]
    commands = {
        "api-server": [*api_server, "--workers", "1"],
        "dag-processor": [airflow, "dag-processor"],
        "scheduler": [airflow, "scheduler", "--skip-serve-logs"],
    }
    logs = {name: folder / f"{name}.log" for name in commands}
    with contextlib.ExitStack() as stack:
        services = {
            name: stack.enter_context(service(command, environment, logs[name]))
            for name, command in commands.items()
        }

        def wait(name: str, what: str, sql: str) -> None:
            wait_until(lambda: _is_true(database_url, sql), what, services[name], logs[name])

        health = f"http://127.0.0.1:{port}/api/v2/monitor/health"
        wait_until(
            lambda: answers(health), "it answers", services["api-server"], logs["api-server"]
        )
        wait("dag-processor", "the DAG is known", "select exists (select from serialized_dag)")
        wait(
            "scheduler",
            "the scheduler runs",
            "select exists (select from job where job_type = 'SchedulerJob' and state = 'running')",
        )
        roots = [*(process.pid for process in services.values()), postmaster(database_url)]
        before = sum(map(tree_cpu_seconds, roots))
        run([airflow, "dags", "trigger", _DAG], environment)
        while True:
            with psycopg.connect(database_url) as connection:
                [(state, seconds)] = connection.execute(
                    "select state, extract(epoch from end_date - queued_at)::float8 from dag_run"
                ).fetchall()
            if state == "success":
                return Spent(float(seconds), sum(map(tree_cpu_seconds, roots)) - before)
            if state == "failed":
                raise RuntimeError("Airflow: the DAG run failed")
            for name, process in services.items():
                if process.poll() is not None:
                    raise PeerUnavailableError(f"Airflow's {name} ended in the midst")
            time.sleep(0.5)


def _with_driver(url: str, driver: str) -> str:
    return url.replace("postgresql://", f"postgresql+{driver}://", 1)


def _is_true(url: str, sql: str) -> bool:
    with psycopg.connect(url) as connection:
        [(value,)] = connection.execute(sql.encode()).fetchall()
        return bool(value)
