"""The Japanese and the English catalog say the same things."""

from __future__ import annotations

import string

import pytest

from reports_pipeline.accounting.accounts import Section
from reports_pipeline.accounting.failures import FailureCode, TenantFailure
from reports_pipeline.accounting.indirect_cash_flow import INDIRECT_CASH_FLOW
from reports_pipeline.accounting.statement_layout import Line
from reports_pipeline.documents.catalogs import LANGUAGES, catalog, failure_text

# A Japanese reader expects 円 after an amount, an English one the currency's code before it.
WORDED_DIFFERENTLY = {
    "mail.amount",
    "comment.amount",
    "comment.amount.thousand",
}


def placeholders(message: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(message) if name is not None}


def test_both_languages_have_the_same_messages() -> None:
    assert catalog("ja").messages.keys() == catalog("en").messages.keys()


def test_messages_take_the_same_values_in_both_languages() -> None:
    english = catalog("en").messages

    differing = [
        msgid
        for msgid, message in catalog("ja").messages.items()
        if placeholders(message) != placeholders(english[msgid]) and msgid not in WORDED_DIFFERENTLY
    ]

    assert differing == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_message_is_empty(language: str) -> None:
    assert [msgid for msgid, text in catalog(language).messages.items() if not text] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_section_has_a_heading_and_a_total(language: str) -> None:
    texts = catalog(language)
    for section in Section:
        assert texts.text(section)
        assert texts.text(f"total_{section}")


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_line_of_the_indirect_cash_flow_has_a_label(language: str) -> None:
    texts = catalog(language)
    for line in INDIRECT_CASH_FLOW.lines:
        assert isinstance(line, Line)
        assert texts.text(line.key)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("code", FailureCode)
def test_every_failure_names_the_tenant_and_the_facts(code: FailureCode, language: str) -> None:
    failure = TenantFailure("t0042", code, {"account_code": "6110", "difference": 1})

    text = failure_text(failure, language)

    assert "t0042" in text
    assert "account_code=6110, difference=1" in text


def test_missing_message_is_an_error_that_names_it() -> None:
    with pytest.raises(KeyError, match=r"gross_margin.*ja"):
        catalog("ja").text("gross_margin")


def test_missing_value_is_an_error() -> None:
    with pytest.raises(KeyError, match="pages"):
        catalog("en").text("page", page=1)


def test_unknown_language_is_an_error() -> None:
    with pytest.raises(ValueError, match="fr"):
        catalog("fr")
