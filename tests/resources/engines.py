"""The engines that tests may ask; one whose program is missing skips the test."""

from __future__ import annotations

from resources.accounting_engines import AccountingEngine, BeancountEngine, HledgerEngine
from tests.programs import require_program

ENGINES = ["hledger", "beancount"]


def engine_named(name: str) -> AccountingEngine:
    if name == "beancount":
        return BeancountEngine()
    require_program(name)
    return HledgerEngine()
