"""The default chart."""

from __future__ import annotations

import pytest

from reports_pipeline.accounting.accounts import AccountClass
from reports_pipeline.accounting.charts import default_chart, suggested_class


def test_every_class_has_an_account() -> None:
    assert {account.account_class for account in default_chart("ja")} == set(AccountClass)


@pytest.mark.parametrize(
    ("name", "suggested"),
    [
        ("普通預金", AccountClass.CASH_AND_DEPOSITS),
        ("Interest expenses", AccountClass.INTEREST_EXPENSE),
        ("普通預金 みずほ", None),
        ("", None),
    ],
)
def test_a_name_of_the_chart_suggests_its_class(name: str, suggested: AccountClass | None) -> None:
    assert suggested_class(name) is suggested


def test_codes_are_distinct_and_in_order() -> None:
    codes = [account.account_code for account in default_chart("ja")]
    assert codes == sorted(set(codes))


def test_names_are_distinct_in_each_language() -> None:
    for language in ("ja", "en"):
        names = [account.name for account in default_chart(language)]
        assert len(names) == len(set(names))


def test_languages_differ_in_names_only() -> None:
    japanese, english = default_chart("ja"), default_chart("en")
    assert [(a.account_code, a.account_class) for a in japanese] == [
        (a.account_code, a.account_class) for a in english
    ]
    assert not any(account.name.isascii() for account in japanese)
    assert all(account.name.isascii() for account in english)


def test_another_language_is_an_error() -> None:
    with pytest.raises(KeyError):
        default_chart("fr")
