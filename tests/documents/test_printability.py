from dataclasses import replace

from reports_pipeline.accounting.failures import FailureCode
from reports_pipeline.accounting.ledger import LedgerExtract
from reports_pipeline.documents.printability import glyph_failures
from tests.accounting.extracts import extract_of
from tests.accounting.sakura import MAY, SAKURA


def renamed(extract: LedgerExtract, table: str, row: int, name: str) -> LedgerExtract:
    frame = getattr(extract, table).copy()
    frame.loc[row, "name"] = name
    return replace(extract, **{table: frame})


def test_ordinary_names_print() -> None:
    assert glyph_failures(extract_of(MAY, [SAKURA])) == []


def test_a_company_name_with_an_emoji_is_named() -> None:
    extract = renamed(extract_of(MAY, [SAKURA]), "companies", 0, "株式会社さくら🌸")
    [failure] = glyph_failures(extract)
    assert failure.code is FailureCode.MISSING_GLYPH
    assert failure.details["field"] == "company_name"
    assert failure.details["code_point"] == "U+1F338"


def test_the_name_of_a_used_account_is_checked_and_that_of_an_unused_one_is_not() -> None:
    extract = extract_of(MAY, [SAKURA])
    used = extract.movements["account_code"].iloc[0]
    row = int(extract.accounts.index[extract.accounts["account_code"] == used][0])
    [failure] = glyph_failures(renamed(extract, "accounts", row, "現金💴"))
    assert (failure.details["row"], failure.details["code_point"]) == (used, "U+1F4B4")
    unused = replace(
        renamed(extract, "accounts", row, "現金💴"),
        movements=extract.movements[extract.movements["account_code"] != used],
    )
    assert glyph_failures(unused) == []
