"""The comment page: sentences that quote what was computed."""

from __future__ import annotations

import itertools
import re
from dataclasses import replace
from fractions import Fraction

import pytest

from reports_pipeline.accounting.observations import Observation, ObservationCode, observations
from reports_pipeline.accounting.reports import Company, TenantReports
from reports_pipeline.documents.catalogs import LANGUAGES, catalog
from reports_pipeline.documents.content.comments import amount_in_words, comment_of, comment_report
from reports_pipeline.documents.formats import amount_format, format_ratio
from reports_pipeline.documents.tables import Ratio
from tests.documents.samples import (
    BALANCES,
    COMPANY,
    SAMPLES,
    Account,
    empty,
    in_thousands,
    losing,
    reports,
)

# One of each kind, with figures that appear nowhere else.
EXAMPLES = [
    Observation(
        ObservationCode.NEGATIVE_NET_ASSETS, "total_net_assets", "", 1,
        {"assets": 1_234_001, "liabilities": 2_345_002, "deficit": 1_111_001},
    ),
    Observation(
        ObservationCode.OPERATING_LOSS, "operating_profit", "", 1,
        {"loss": 345_678, "sales": 4_567_890},
    ),
    Observation(
        ObservationCode.LOW_CASH, "closing_cash", "", 1,
        {"cash": -876_543, "mean_expenses": 987_654}, counts={"months": 7},
    ),
    Observation(
        ObservationCode.LOW_CURRENT_RATIO, "total_current_assets", "", 1,
        {"assets": 9_870_000, "liabilities": 10_000_000},
        {"ratio": Fraction(987, 1000), "least": Fraction(1)},
    ),
    Observation(
        ObservationCode.LOW_EQUITY_RATIO, "total_net_assets", "", 1,
        {"assets": 10_000_000, "net_assets": 1_570_000},
        {"ratio": Fraction(157, 1000), "least": Fraction(1, 5)},
    ),
    Observation(
        ObservationCode.GROSS_MARGIN_FALL, "gross_profit", "", 1,
        {"profit": 2_110_000, "sales": 10_000_000},
        {"margin": Fraction(211, 1000), "mean": Fraction(333, 1000)},
        {"months": 11, "points": 5},
    ),
    Observation(
        ObservationCode.NEGATIVE_BALANCE, "account:1120", "普通預金", 1, {"balance": -765_432}
    ),
    *(
        Observation(
            ObservationCode.UNUSUAL_EXPENSE, "account:6240", "広告宣伝費", 1,
            {"amount": 960_000, "median": 399_000, "difference": 561_000},
            counts={"months": 11}, is_above=is_above,
        )
        for is_above in (True, False)
    ),
    *(
        Observation(
            code, "account:4110", "製品売上高", 1,
            {"amount": 38_450_000, "before": 35_120_000, "change": 3_330_000}, is_above=is_above,
        )
        for code, is_above in itertools.product(
            (ObservationCode.CHANGE_FROM_PRIOR_MONTH, ObservationCode.CHANGE_FROM_PRIOR_YEAR),
            (True, False),
        )
    ),
]  # fmt: skip


def company(language: str, display_unit: str = "one", currency: str = "JPY") -> Company:
    return replace(COMPANY, language=language, display_unit=display_unit, currency=currency)


def figures(text: str) -> set[str]:
    return set(re.findall(r"△?\d[\d,.]*%?", re.sub(r"[.,](?!\d)", " ", text)))


def facts(observation: Observation, of: Company) -> set[str]:
    """The observation's figures as its company reads them."""
    written = amount_format(of)
    return {
        *map(written, observation.amounts.values()),
        *(format_ratio(Ratio(r.numerator, r.denominator)) for r in observation.ratios.values()),
        *map(str, observation.counts.values()),
    }


def text_of(observation: Observation, of: Company) -> str:
    return comment_of(observation, of, amount_in_words(of)).text


def test_there_is_an_example_of_every_kind() -> None:
    assert {example.code for example in EXAMPLES} == set(ObservationCode)


@pytest.mark.parametrize("currency", ["JPY", "USD"])
@pytest.mark.parametrize("display_unit", ["one", "thousand"])
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda each: f"{each.code}-{each.is_above}")
def test_a_sentence_quotes_all_facts_and_no_other_figure(
    example: Observation, language: str, display_unit: str, currency: str
) -> None:
    of = company(language, display_unit, currency)

    assert figures(text_of(example, of)) == facts(example, of)


@pytest.mark.parametrize("sample", SAMPLES)
@pytest.mark.parametrize("language", LANGUAGES)
def test_comments_are_the_observations_in_words(sample: str, language: str) -> None:
    tenant = SAMPLES[sample]()
    tenant = replace(tenant, company=replace(tenant.company, language=language))

    comments = comment_report(tenant).comments

    found = observations(tenant)
    for observation, comment in zip(found, comments[: len(found)], strict=True):
        assert figures(comment.text) == facts(observation, tenant.company)
        assert observation.label in comment.title
    assert len(comments) == max(1, len(found))


def test_sentences_read_well_in_both_languages() -> None:
    advertising = EXAMPLES[7]

    assert text_of(advertising, company("ja")) == (
        "当月の960,000円は、直前11か月の中央値399,000円を561,000円上回り、"
        "通常のばらつきの範囲を超えています。"
    )
    assert text_of(advertising, company("en", "thousand")) == (
        "This month's JPY 960 thousand is JPY 561 thousand above the median of the 11 months "
        "before, JPY 399 thousand, and outside their usual spread."
    )
    assert text_of(EXAMPLES[1], company("ja", "thousand")) == (
        "売上高4,567千円に対し、営業損失は345千円です。"
    )


def test_an_amount_of_less_than_a_thousand_is_not_called_nothing() -> None:
    written = amount_in_words(company("ja", "thousand"))

    assert [written(amount) for amount in (999, -999, 1_000, 0)] == [
        "千円未満", "千円未満", "1千円", "0千円",
    ]  # fmt: skip


def test_a_name_is_no_placeholder() -> None:
    odd = replace(EXAMPLES[6], label="{balance} {0} %s")

    assert comment_of(odd, COMPANY, str).title == "マイナスの残高：{balance} {0} %s"


def titles(tenant: TenantReports) -> list[tuple[str, bool]]:
    return [(comment.title, comment.is_warning) for comment in comment_report(tenant).comments]


def test_warnings_come_first() -> None:
    assert titles(losing()) == [
        ("営業損失", True),
        ("売上総利益率の低下", True),
        ("通常と異なる金額：広告宣伝費", False),
        ("前月との差：製品売上高", False),
        ("前月との差：材料仕入高", False),
        ("前年同月との差：外注加工費", False),
        ("前年同月との差：給料手当", False),
    ]


def test_an_overdrawn_account_is_a_warning() -> None:
    overdrawn = [Account("1120", "普通預金", -5_000, 1_000, 1_000), *BALANCES["current_assets"][2:]]

    tenant = reports(balances={**BALANCES, "current_assets": overdrawn})

    assert ("マイナスの残高：普通預金", True) in titles(tenant)
    assert "△はマイナスを表します。" in comment_report(tenant).notes


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_month_without_observations_says_so(language: str) -> None:
    tenant = replace(empty(), company=replace(empty().company, language=language))

    [comment] = comment_report(tenant).comments

    assert comment.text == catalog(language).text("comment.nothing")
    assert not comment.is_warning
    assert figures(comment.title + comment.text) == set()


def test_the_page_says_that_rules_made_it_and_that_it_is_no_advice() -> None:
    report = comment_report(reports())

    assert report.title == "経営コメント"
    assert report.period == "2026年10月度"
    assert report.rows == ()
    assert "自動で作成" in report.notes[0]
    assert "税務・投資その他の助言ではありません" in report.notes[0]


def test_thousands_and_an_open_month_are_noted() -> None:
    tenant = in_thousands()
    report = comment_report(replace(tenant, company=replace(tenant.company, closed=False)))

    assert [note[:8] for note in report.notes[1:]] == ["この月はまだ締め", "金額は千円未満を"]
