"""Roles of processes: credentials that end, and a record of what was called with them."""

from __future__ import annotations

import datetime
import itertools
import threading
from collections import Counter
from dataclasses import dataclass
from typing import TypedDict

from tests.emulators.api_calls import Permission, Request, needed

LIFETIME = datetime.timedelta(hours=6)


class Credentials(TypedDict):
    """As ECS hands them to a task."""

    RoleArn: str
    AccessKeyId: str
    SecretAccessKey: str
    Token: str
    Expiration: str


class RefusedError(Exception):
    """No credentials are handed out."""


class ExpiredError(Exception):
    """The credentials of a request have ended."""


@dataclass
class _Issued:
    role: str
    holder: str
    ends_at: datetime.datetime


class Roles:
    """Credentials by access key. Those that nobody was handed are a person's, and are neither
    checked nor recorded."""

    def __init__(self) -> None:
        self._issued: dict[str, _Issued] = {}
        self._needed: dict[str, set[Permission]] = {}
        self._refused: set[str] = set()
        self._expired: Counter[str] = Counter()
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()

    def issue(
        self, role_arn: str, holder: str, lifetime: datetime.timedelta = LIFETIME
    ) -> Credentials:
        """New ones for a holder, such as a task.

        Raises:
            RefusedError: the holder is to get none.
        """
        with self._lock:
            if holder in self._refused:
                raise RefusedError(holder)
            ends_at = _now() + lifetime
            access_key = f"ASIA{next(self._numbers):016}"
            self._issued[access_key] = _Issued(name_of(role_arn), holder, ends_at)
        return Credentials(
            RoleArn=role_arn,
            AccessKeyId=access_key,
            SecretAccessKey="emulated",
            Token="emulated",
            Expiration=ends_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        )

    def end(self, holder: str) -> None:
        """What the holder has ends now, and it gets no more: its agent does not answer."""
        with self._lock:
            self._refused.add(holder)
            for issued in self._issued.values():
                if issued.holder == holder:
                    issued.ends_at = _now()

    def issued_to(self, holder: str) -> int:
        """How often the holder was handed credentials."""
        with self._lock:
            return sum(issued.holder == holder for issued in self._issued.values())

    def expired_calls(self, holder: str) -> int:
        """How often the holder called with credentials that had ended."""
        with self._lock:
            return self._expired[holder]

    def holder_of(self, access_key: str) -> str | None:
        """Who was handed the credentials."""
        issued = self._issued.get(access_key)
        return None if issued is None else issued.holder

    def record(self, request: Request) -> None:
        """Note a call.

        Raises:
            ExpiredError: it was made with credentials that have ended.
            AwsError: what it needs is not known here.
        """
        if (issued := self._issued.get(request.access_key)) is None:
            return
        with self._lock:
            if issued.ends_at <= _now():
                self._expired[issued.holder] += 1
                raise ExpiredError(request.access_key)
            self._needed.setdefault(issued.role, set()).update(needed(request))

    def needed_by(self, role: str) -> set[Permission]:
        """What a role needed so far, by the name of the role."""
        with self._lock:
            return set(self._needed.get(role, ()))


def name_of(role_arn: str) -> str:
    return role_arn.rpartition("/")[2]


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)
