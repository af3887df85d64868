"""How fast mails may go out, over all processes together.

Providers count what an account sends in a second, whoever sends it, and refuse what is more.
"""

from __future__ import annotations

import functools
import time
from abc import ABC, abstractmethod
from collections.abc import Callable

import psycopg


class SendRate(ABC):
    @abstractmethod
    def wait(self) -> None:
        """Return when one more mail may go out."""


class PostgresSendRate(SendRate):
    """A row of `reporting.send_rates` from which every process takes its turns.

    Turns are handed out in advance: each caller moves the time of the next turn on and sleeps
    until its own. So turns are evenly spaced in the order in which they were asked for, nobody
    polls, and the turn of a process that dies is lost to nobody but the clock.
    """

    def __init__(
        self,
        url: str,
        name: str,
        per_second: Callable[[], float],
        *,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """`name`: of the account whose mails are counted together; `per_second` is asked once, when
        the first mail waits."""
        self._url = url
        self._name = name
        self._ask_per_second = per_second
        self._sleep = sleep

    @functools.cached_property
    def _interval_seconds(self) -> float:
        return 1 / self._ask_per_second()

    def wait(self) -> None:
        interval = self._interval_seconds
        with psycopg.connect(self._url, autocommit=True) as connection:
            # Times by the clock of the database, which all processes share.
            [seconds] = connection.execute(
                """
                insert into reporting.send_rates as rate (name, next_turn)
                values (%(name)s, clock_timestamp() + %(interval)s * interval '1 second')
                on conflict (name) do update set next_turn =
                    greatest(rate.next_turn, clock_timestamp())
                    + %(interval)s * interval '1 second'
                returning extract(epoch from
                    next_turn - %(interval)s * interval '1 second' - clock_timestamp())::float8
                """,
                {"name": self._name, "interval": interval},
            ).fetchone() or [0.0]
        if seconds > 0:
            self._sleep(seconds)
