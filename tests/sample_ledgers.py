"""A database with five small companies in it, made once for each server and then copied."""

from __future__ import annotations

import functools
import itertools

import pyarrow as pa

from reports_pipeline.accounting.periods import Month
from resources.database import create_database
from resources.ledger_loading import TABLES, LedgerTables, load_ledger
from resources.sample_ledger import SampleScale, sample_ledger

TENANTS = ["t0001", "t0002", "t0003", "t0004", "t0005"]
# The last of three months. In it, t0002 has a cancelled entry; t0003 closed its year before it.
APRIL = Month(2025, 4)
FIRST_MONTH = Month(2025, 2)

_SCALE = SampleScale(tenants=5, first_month=FIRST_MONTH, months=3, lines_per_month=700)
_numbers = itertools.count(1)


@functools.cache
def sample_tables() -> LedgerTables:
    """The rows of all five companies."""
    batches = list(sample_ledger(_SCALE, seed=3))
    return {name: pa.concat_tables([batch[name] for batch in batches]) for name in TABLES}


def sample_database(server_url: str) -> str:
    """The URL of a new database with the newest schema and the sample in its ledger."""
    return create_database(
        server_url, f"sample{next(_numbers)}", template=_template_database(server_url)
    )


@functools.cache
def _template_database(server_url: str) -> str:
    name = "template_sample"
    url = create_database(server_url, name, template="template_reports")
    load_ledger(url, [sample_tables()], replace=False)
    return name
