"""A ledger that nobody here wrote."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def beancount_example(folder: Path) -> Path:
    """Two years of a household in USD, 2024 and 2025, made by Beancount's own generator."""
    path = folder / "example.beancount"
    generator = "from beancount.scripts.example import main; main()"
    period = ["--date-begin", "2024-01-01", "--date-end", "2025-12-31"]
    subprocess.run(
        [sys.executable, "-c", generator, "--seed", "1", *period, "-o", str(path)], check=True
    )
    return path
