"""Work in a process of its own: what it returns or raises arrives, and what never ends is ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from reports_pipeline.accounting.failures import FailureCode, TenantFailure, TenantFailureError
from resources.budgets import Budget, BudgetExceededError
from resources.worker import Worker, WorkerEndedError
from tests.resources import odd_work

ODD_WORK = ("tests.resources.odd_work",)


@pytest.fixture
def worker() -> Iterator[Worker]:
    worker = Worker(Budget(seconds=60, megabytes=300), modules=ODD_WORK)
    yield worker
    worker.close()


def is_running(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    return True


def refuse(tenant_id: str) -> None:
    raise TenantFailureError(TenantFailure(tenant_id, FailureCode.TOO_LARGE, {"rows": 3}))


def test_all_work_is_done_by_one_process_that_is_not_this_one(worker: Worker) -> None:
    done_by = {worker.call(odd_work.process_id) for _ in range(3)}
    assert len(done_by) == 1
    assert os.getpid() not in done_by


def test_large_results_arrive_whole(worker: Worker) -> None:
    text = "帳票" * 2_000_000
    assert worker.call(odd_work.sleep_after, text, seconds=0) == text


def test_a_tenants_failure_arrives_as_it_is(worker: Worker) -> None:
    with pytest.raises(TenantFailureError) as caught:
        worker.call(refuse, "t0001")
    assert caught.value.failure == TenantFailure("t0001", FailureCode.TOO_LARGE, {"rows": 3})
    assert str(caught.value) == "TOO_LARGE: t0001: {'rows': 3}"
    # where it was raised
    assert "in refuse" in caught.value.__notes__[0]


def test_an_error_that_cannot_travel_arrives_as_its_text(worker: Worker) -> None:
    with pytest.raises(RuntimeError, match=r"^UnportableError: sand in the gearbox") as caught:
        worker.call(odd_work.fail_unportably)
    assert "in fail_unportably" in caught.value.__notes__[0]
    assert worker.call(odd_work.process_id)


def test_what_takes_too_long_is_stopped_and_the_next_is_served() -> None:
    worker = Worker(Budget(seconds=0.5), modules=ODD_WORK)
    before = worker.call(odd_work.process_id)
    with pytest.raises(BudgetExceededError) as caught:
        worker.call(odd_work.sleep_after, "late", seconds=30)
    assert (caught.value.what, caught.value.limit) == ("seconds", 0.5)
    assert not is_running(before)
    assert worker.call(odd_work.sleep_after, "in time", seconds=0) == "in time"
    worker.close()


def test_what_takes_too_much_memory_is_stopped_and_the_next_is_served(worker: Worker) -> None:
    before = worker.call(odd_work.process_id)
    with pytest.raises(BudgetExceededError) as caught:
        worker.call(odd_work.hold, 400)
    assert (caught.value.what, caught.value.limit) == ("megabytes", 300)
    assert not is_running(before)
    assert worker.call(odd_work.process_id) != before


def test_nobody_pays_for_the_memory_that_others_left_behind(worker: Worker) -> None:
    before = worker.call(odd_work.keep, 200)
    after = worker.call(odd_work.hold, 200, seconds=0.5)
    assert after != before


def test_a_worker_that_dies_by_itself_is_replaced_and_the_work_tried_once_more(
    worker: Worker, tmp_path: Path
) -> None:
    before = worker.call(odd_work.process_id)
    after = worker.call(odd_work.end_the_first_time, tmp_path / "tries")
    assert after != before
    assert worker.call(odd_work.process_id) == after


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_work_that_kills_two_workers_is_given_up(
    worker: Worker, tmp_path: Path, number: signal.Signals
) -> None:
    with pytest.raises(WorkerEndedError, match=f"^the worker was ended by {number.name}$"):
        worker.call(odd_work.end_by, number, tmp_path / "tries")
    assert (tmp_path / "tries").read_text() == "xx"
    assert worker.call(odd_work.process_id)


def test_a_worker_that_exits_says_with_what_code(worker: Worker) -> None:
    with pytest.raises(WorkerEndedError, match="exit code 7"):
        worker.call(os._exit, 7)


def test_a_worker_that_cannot_start_says_so() -> None:
    worker = Worker(Budget(), modules=["tests.resources.no_such_module"])
    with pytest.raises(WorkerEndedError, match="exit code 1"):
        worker.call(odd_work.process_id)


def test_an_answer_that_nobody_waited_for_is_never_taken_for_the_next(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    assert worker.call(odd_work.sleep_after, "t0001", seconds=0) == "t0001"
    with monkeypatch.context() as interrupted:
        interrupted.setattr(worker, "_wait", interrupt)
        with pytest.raises(KeyboardInterrupt):
            worker.call(odd_work.sleep_after, "t0002", seconds=0)
    assert worker.call(odd_work.sleep_after, "t0003", seconds=0) == "t0003"


_DYING_RUN = """
import os, sys, threading
from resources.budgets import Budget
from resources.worker import Worker
from tests.resources import odd_work
worker = Worker(Budget(seconds=1), modules=["tests.resources.odd_work"])
print(worker.call(odd_work.process_id), flush=True)
if sys.argv[1] == "busy":
    threading.Timer(0.3, os.kill, (os.getpid(), 9)).start()
    worker.call(odd_work.sleep_after, "", 60)
os.kill(os.getpid(), 9)
"""


@pytest.mark.parametrize("state", ["idle", "busy"])
def test_a_worker_does_not_outlive_its_run(state: str) -> None:
    run = subprocess.run(
        [sys.executable, "-c", _DYING_RUN, state],
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert run.returncode == -signal.SIGKILL
    process_id = int(run.stdout)
    deadline = time.monotonic() + 30
    while is_running(process_id):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_worker_nobody_has_any_more_ends() -> None:
    worker = Worker(Budget(), modules=ODD_WORK)
    process_id = worker.call(odd_work.process_id)
    del worker
    assert not is_running(process_id)
