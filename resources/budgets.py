"""What one tenant may take of a run's time and memory before it is stopped, so that the others of
its batch go on."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Budget:
    """Of one tenant, in each stage."""

    seconds: float = 120  # that pass, not CPU time
    megabytes: int = 1000  # resident, of 2**20 bytes


class BudgetExceededError(Exception):
    """The work was stopped: the seconds or megabytes (`what`) of its budget (`limit`) were used up.

    Of a batch it says that some of its tenants may need too much, of one tenant that it does.
    """

    def __init__(self, what: str, limit: float) -> None:
        super().__init__(what, limit)
        self.what = what
        self.limit = limit

    def __str__(self) -> str:
        return f"stopped after the {self.limit:g} {self.what} of its budget"
