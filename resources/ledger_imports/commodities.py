"""What is kept in other units than the tenant's currency, and whether books can do without it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from babel.numbers import list_currencies

from resources.ledger_imports.ledger_files import Problems


@dataclass(frozen=True, slots=True)
class Posting:
    """A posting of another program, and where it stands."""

    file: str
    line: int
    account: str
    amount: Decimal
    commodity: str


class ForeignPostings:
    """Leaves out postings in units that are no money, such as hours or tax allowances.

    A posting in other money, or to an account that is kept in the tenant's currency too, is a
    problem: leaving it out would misstate that account.
    """

    def __init__(self, currency: str, postings: Iterable[Posting], problems: Problems) -> None:
        self._currency = currency
        self._own_accounts = {
            posting.account for posting in postings if posting.commodity == currency
        }
        self._money = list_currencies()
        self._problems = problems
        self.left_out: Counter[str] = Counter()

    def without(self, postings: Sequence[Posting]) -> list[Posting]:
        """The postings in the tenant's currency."""
        own = []
        for posting in postings:
            if posting.commodity == self._currency:
                own.append(posting)
            elif posting.commodity in self._money:
                self._refuse(posting, f"an amount in {posting.commodity}")
            elif posting.account in self._own_accounts:
                self._refuse(
                    posting,
                    f"{posting.commodity} on {posting.account}, which is kept in {self._currency}",
                )
            else:
                self.left_out[posting.commodity] += 1
        return own

    def _refuse(self, posting: Posting, what: str) -> None:
        reason = f"{what}: it needs a cost or price in {self._currency}"
        self._problems.add(posting.file, posting.line, reason)
