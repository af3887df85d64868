"""Which texts of an extract the documents could not print.

Rendering would refuse them too, but a re-execution begins with the stage that failed: what a
tenant has to mend is found where its ledger is read.
"""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from reports_pipeline.accounting.failures import FailureCode, TenantFailure
from reports_pipeline.accounting.ledger import LedgerExtract
from reports_pipeline.documents.glyphs import printable_characters


def glyph_failures(extract: LedgerExtract) -> list[TenantFailure]:
    """MISSING_GLYPH (`field`, `row`, `text`, `code_point`) for the first text of each tenant that
    PDFs print and the fonts lack a character for: company names and names of used accounts."""
    used = extract.accounts.merge(
        extract.movements[["tenant_id", "account_code"]].drop_duplicates(),
        on=["tenant_id", "account_code"],
    )
    failures: dict[str, TenantFailure] = {}
    for failure in [
        *_unprintable(extract.companies, "tenant_id", "company_name"),
        *_unprintable(used, "account_code", "account_name"),
    ]:
        failures.setdefault(failure.tenant_id, failure)
    return list(failures.values())


def _unprintable(table: pd.DataFrame, row: str, field: str) -> Iterator[TenantFailure]:
    printable = printable_characters()
    names = [name for name in table["name"].unique() if not printable.issuperset(name)]
    for tenant_id, row_id, name in (
        table[table["name"].isin(names)][["tenant_id", row, "name"]]
        .set_axis(["tenant_id", "row", "name"], axis="columns")
        .itertuples(index=False)
    ):
        missing = next(character for character in name if character not in printable)
        yield TenantFailure(
            tenant_id,
            FailureCode.MISSING_GLYPH,
            {"field": field, "row": row_id, "text": name, "code_point": f"U+{ord(missing):04X}"},
        )
