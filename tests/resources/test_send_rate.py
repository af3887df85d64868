import datetime
import threading
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from resources.send_rate import PostgresSendRate


class Sleeper:
    """Writes down how long each caller is to wait."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self._lock = threading.Lock()

    def __call__(self, seconds: float) -> None:
        with self._lock:
            self.seconds.append(seconds)


def test_turns_of_all_processes_together_are_spaced_evenly(database_url: str) -> None:
    sleeper = Sleeper()
    rates = [PostgresSendRate(database_url, "ses", 0.5, sleep=sleeper) for _ in range(4)]
    with ThreadPoolExecutor(4) as threads:
        for rate in rates:
            for _ in range(5):
                threads.submit(rate.wait)
    # 20 turns two seconds apart, the first at once; asking took a moment of that.
    assert len(sleeper.seconds) == 19
    for turn, seconds in enumerate(sorted(sleeper.seconds), start=1):
        assert 2 * turn - 2 < seconds <= 2 * turn


def test_after_a_pause_no_more_than_a_second_s_mails_go_out_at_once(database_url: str) -> None:
    sleeper = Sleeper()
    rate = PostgresSendRate(database_url, "ses", 5, sleep=sleeper)
    rate.wait()
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "update reporting.send_rates set next_turn = now() - %s", [datetime.timedelta(hours=1)]
        )
    for _ in range(20):
        rate.wait()
    # six: those of the second before, and that of now
    assert 20 - len(sleeper.seconds) in {5, 6}


def test_accounts_do_not_wait_for_each_other(database_url: str) -> None:
    sleeper = Sleeper()
    for name in ("ses", "smtp"):
        PostgresSendRate(database_url, name, 0.01, sleep=sleeper).wait()
    assert sleeper.seconds == []


def test_a_rate_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="not a send rate"):
        PostgresSendRate("", "ses", 0)
