"""The comment page: sentences that quote what was computed."""

from __future__ import annotations

import itertools
import re
from dataclasses import replace
from fractions import Fraction

import pytest

from reports_pipeline.accounting.observations import (
    Direction,
    Observation,
    ObservationCode,
    observations,
)
from reports_pipeline.accounting.reports import (
    TREND_MONTHS,
    Company,
    StatementLine,
    TenantReports,
)
from reports_pipeline.documents.catalogs import LANGUAGES, catalog
from reports_pipeline.documents.content.comments import (
    comment_of,
    comment_report,
    display_unit,
    quoted_ratios,
)
from reports_pipeline.documents.formats import amount_format, format_ratio
from reports_pipeline.documents.tables import Ratio
from tests.documents.samples import (
    BALANCES,
    COMPANY,
    SALES,
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
        {"loss": 345_678, "base": 4_567_890},
    ),
    Observation(
        ObservationCode.ORDINARY_LOSS, "ordinary_profit", "", 1,
        {"loss": 445_678, "base": 5_567_890},
    ),
    Observation(
        ObservationCode.NET_LOSS, "net_profit", "", 1,
        {"loss": 545_678, "base": 6_567_890},
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
        {"assets": 10_000_000, "equity": 1_570_000},
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
            counts={"months": 11}, direction=direction,
        )
        for direction in (Direction.ABOVE, Direction.BELOW)
    ),
    Observation(
        ObservationCode.UNUSUAL_EXPENSE, "account:5190", "期末商品棚卸高", 1,
        {"amount": -960_000, "median": -399_000, "difference": 561_000},
        counts={"months": 11}, direction=Direction.APART,
    ),
    *(
        Observation(
            code, "account:4110", "製品売上高", 1,
            {"amount": 38_450_000, "before": 35_120_000, "change": 3_330_000}, direction=direction,
        )
        for code, direction in itertools.product(
            (ObservationCode.CHANGE_FROM_PRIOR_MONTH, ObservationCode.CHANGE_FROM_PRIOR_YEAR),
            (Direction.ABOVE, Direction.BELOW),
        )
    ),
    *(
        Observation(
            code, "account:5190", "期末商品棚卸高", 1,
            {"amount": -1_288_300, "before": -730_100, "change": 558_200},
            direction=Direction.APART,
        )
        for code in (
            ObservationCode.CHANGE_FROM_PRIOR_MONTH, ObservationCode.CHANGE_FROM_PRIOR_YEAR
        )
    ),
]  # fmt: skip


def example(code: ObservationCode, direction: Direction = Direction.NONE) -> Observation:
    return next(each for each in EXAMPLES if (each.code, each.direction) == (code, direction))


def company(language: str, display_unit: str = "one", currency: str = "JPY") -> Company:
    return replace(COMPANY, language=language, display_unit=display_unit, currency=currency)


def figures(text: str) -> set[str]:
    return set(re.findall(r"△?\d[\d,.]*%?", re.sub(r"[.,](?!\d)", " ", text)))


def facts(observation: Observation, of: Company) -> set[str]:
    """The observation's figures as its company reads them."""
    written = amount_format(replace(of, display_unit=display_unit(observation, of)))
    return {
        *map(written, observation.amounts.values()),
        *(format_ratio(Ratio(r.numerator, r.denominator)) for r in observation.ratios.values()),
        *map(str, observation.counts.values()),
    }


def text_of(observation: Observation, of: Company) -> str:
    return comment_of(observation, of).text


def test_there_is_an_example_of_every_kind() -> None:
    assert {example.code for example in EXAMPLES} == set(ObservationCode)


@pytest.mark.parametrize("currency", ["JPY", "USD"])
@pytest.mark.parametrize("unit", ["one", "thousand"])
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("observation", EXAMPLES, ids=lambda each: f"{each.code}{each.direction}")
def test_a_sentence_quotes_all_facts_and_no_other_figure(
    observation: Observation, language: str, unit: str, currency: str
) -> None:
    of = company(language, unit, currency)

    assert display_unit(observation, of) == unit
    assert figures(text_of(observation, of)) == facts(observation, of)


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
    advertising = example(ObservationCode.UNUSUAL_EXPENSE, Direction.ABOVE)

    assert text_of(advertising, company("ja")) == (
        "当月の960,000円は、直前11か月の中央値399,000円を561,000円上回り、"
        "通常のばらつきの範囲を超えています。"
    )
    assert text_of(advertising, company("en", "thousand")) == (
        "This month's JPY 960 thousand is JPY 561 thousand above the median of the 11 months "
        "before, JPY 399 thousand, and outside their usual spread."
    )
    assert text_of(example(ObservationCode.OPERATING_LOSS), company("ja", "thousand")) == (
        "売上高4,567千円に対し、営業損失は345千円です。"
    )


@pytest.mark.parametrize(
    "code",
    [
        ObservationCode.UNUSUAL_EXPENSE,
        ObservationCode.CHANGE_FROM_PRIOR_MONTH,
        ObservationCode.CHANGE_FROM_PRIOR_YEAR,
    ],
)
def test_no_sentence_says_that_a_negative_amount_rose_or_fell(code: ObservationCode) -> None:
    """Closing stock of △1,288,300 after △730,100 is more stock, and a smaller number."""
    stock = example(code, Direction.APART)

    assert not re.search("増|減|上回|下回", text_of(stock, company("ja")))
    assert not re.search("more|less|above|below", text_of(stock, company("en")))


def test_a_change_between_negative_amounts_states_both() -> None:
    stock = example(ObservationCode.CHANGE_FROM_PRIOR_MONTH, Direction.APART)

    assert text_of(stock, company("ja")) == (
        "当月は△1,288,300円、前月は△730,100円で、差は558,200円です。"
    )


def test_amounts_that_read_alike_in_thousands_are_quoted_in_full() -> None:
    low = replace(
        example(ObservationCode.LOW_CASH), amounts={"cash": 10_976_100, "mean_expenses": 10_976_900}
    )

    assert text_of(low, company("ja", "thousand")) == (
        "月末の現金及び預金10,976,100円は、直近7か月の費用の月平均10,976,900円を下回っています。"
    )


@pytest.mark.parametrize(
    ("language", "quoted"), [("ja", "月末残高は△500円で"), ("en", "is JPY △500, on")]
)
def test_less_than_a_thousand_is_neither_nothing_nor_without_its_sign(
    language: str, quoted: str
) -> None:
    small = replace(example(ObservationCode.NEGATIVE_BALANCE), amounts={"balance": -500})

    assert quoted in text_of(small, company(language, "thousand"))


def test_nothing_reads_as_nothing_in_thousands() -> None:
    new = replace(
        example(ObservationCode.CHANGE_FROM_PRIOR_MONTH, Direction.ABOVE),
        amounts={"amount": 2_000_500, "before": 0, "change": 2_000_500},
    )

    assert text_of(new, company("ja", "thousand")) == (
        "当月の2,000千円は、前月の0千円より2,000千円増えています。"
    )


@pytest.mark.parametrize(
    ("ratios", "quoted"),
    [
        pytest.param(("0.9996", "1"), ("99.9%", "100.0%"), id="would round to its limit"),
        pytest.param(("0.1996", "0.2"), ("19.9%", "20.0%"), id="would round to its limit, too"),
        pytest.param(("0.1536", "0.2"), ("15.4%", "20.0%"), id="rounded as on the balance sheet"),
        pytest.param(("-0.0004", "0"), ("△0.1%", "0.0%"), id="just below nothing"),
    ],
)
def test_a_ratio_below_another_one_reads_so(
    ratios: tuple[str, str], quoted: tuple[str, str]
) -> None:
    ratio, least = map(Fraction, ratios)

    assert tuple(quoted_ratios({"ratio": ratio, "least": least}).values()) == quoted


def test_a_name_is_no_placeholder() -> None:
    odd = replace(example(ObservationCode.NEGATIVE_BALANCE), label="{balance} {0} %s")

    assert comment_of(odd, COMPANY).title == "マイナスの残高：{balance} {0} %s"


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


def test_an_ordinary_loss_after_an_operating_profit_is_a_warning() -> None:
    interest = Account("7210", "支払利息", 20_000_000, 20_000_000, 140_000_000)

    tenant = reports(sales={**SALES, "non_operating_expenses": [interest]})

    assert titles(tenant)[0] == ("経常損失", True)


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

    assert [note[:8] for note in report.notes[1:]] == ["この月はまだ締め", "千円単位の金額は"]
    assert "差が一致しないことがあります" in report.notes[2]


def test_no_thousands_are_noted_where_no_sentence_has_them() -> None:
    first_yen = [Account("4110", "製品売上高", 500, 0, 500)]
    tenant = in_thousands()

    report = comment_report(reports(company=tenant.company, sales={"net_sales": first_yen}))

    assert "500円" in "".join(comment.text for comment in report.comments)
    assert not any("千円" in note for note in report.notes)


def first_month() -> TenantReports:
    """The usual month, as the first of the books."""

    def alone(line: StatementLine) -> StatementLine:
        if line.current is None:
            return line
        trend = (*[0] * (TREND_MONTHS - 1), line.current)
        return replace(line, prior=None, prior_year=None, trend=trend)

    usual = reports()
    return replace(
        usual,
        statements=tuple(
            replace(each, lines=tuple(alone(line) for line in each.lines))
            for each in usual.statements
        ),
    )


@pytest.mark.parametrize(
    ("language", "note"), [("ja", "比較できる月がまだ少ない"), ("en", "few months to compare with")]
)
def test_a_first_month_says_what_was_not_checked(language: str, note: str) -> None:
    """With one month of books nothing can be called usual, so nothing unusual was looked for."""
    reader = company(language)

    assert observations(first_month()) == ()
    assert note in "".join(comment_report(replace(first_month(), company=reader)).notes)
    assert note not in "".join(comment_report(reports(company=reader)).notes)
