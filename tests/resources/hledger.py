"""hledger as an independent judge of balances."""

from __future__ import annotations

import csv
import io
import subprocess
from decimal import Decimal
from pathlib import Path

from reports_pipeline.accounting.money import to_minor_units
from tests.programs import require_program


def hledger_csv(journal: Path, command: str, *options: str) -> str:
    """What a command of hledger prints of a journal, as CSV."""
    program = require_program("hledger")
    done = subprocess.run(
        [program, command, "--file", str(journal), "--output-format", "csv", *options],
        check=True,
        capture_output=True,
        encoding="utf-8",
        env={"LC_ALL": "C.UTF-8"},
    )
    return done.stdout


def hledger_rows(journal: Path, command: str, *options: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(hledger_csv(journal, command, *options))))


def hledger_balances(journal: Path, currency: str, *options: str) -> dict[str, int]:
    """Debit - credit of each account in minor units, zeros left out."""
    rows = hledger_rows(journal, "balance", "--flat", "--no-total", *options)
    return {account: hledger_minor_units(amount, currency) for account, amount in rows[1:]}


def hledger_minor_units(amount: str, currency: str) -> int:
    return to_minor_units(Decimal(amount.removesuffix(f" {currency}")), currency)
