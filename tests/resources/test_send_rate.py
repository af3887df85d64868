import datetime
import threading
from concurrent.futures import ThreadPoolExecutor

import psycopg

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
    rates = [PostgresSendRate(database_url, "ses", lambda: 0.5, sleep=sleeper) for _ in range(4)]
    with ThreadPoolExecutor(4) as threads:
        for rate in rates:
            for _ in range(5):
                threads.submit(rate.wait)
    # 20 turns two seconds apart, the first at once; asking took a moment of that.
    assert len(sleeper.seconds) == 19
    for turn, seconds in enumerate(sorted(sleeper.seconds), start=1):
        assert 2 * turn - 2 < seconds <= 2 * turn


def test_a_pause_saves_no_turns(database_url: str) -> None:
    sleeper = Sleeper()
    rate = PostgresSendRate(database_url, "ses", lambda: 0.5, sleep=sleeper)
    rate.wait()
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "update reporting.send_rates set next_turn = now() - %s", [datetime.timedelta(hours=1)]
        )
    for _ in range(5):
        rate.wait()
    assert len(sleeper.seconds) == 4


def test_accounts_do_not_wait_for_each_other(database_url: str) -> None:
    sleeper = Sleeper()
    for name in ("ses", "smtp"):
        PostgresSendRate(database_url, name, lambda: 0.01, sleep=sleeper).wait()
    assert sleeper.seconds == []


def test_the_rate_is_asked_for_once_and_not_before_a_mail_waits(database_url: str) -> None:
    asked: list[None] = []

    def per_second() -> float:
        asked.append(None)
        return 100

    rate = PostgresSendRate(database_url, "ses", per_second, sleep=Sleeper())
    assert asked == []
    rate.wait()
    rate.wait()
    assert asked == [None]
