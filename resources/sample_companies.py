"""Companies that do not exist: names, people, partners and traits of the sample's tenants.

Every tenant is drawn from a generator of its own, so it is the same company however many others
there are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from resources.tenants import Contact, ContactPurpose

# (Japanese, romanized). Variant characters such as 髙, 﨑 and 邉 are everyday names in Japan, and
# a font or an encoding that lacks them shows at once.
_SURNAMES = (
    ("佐藤", "Sato"), ("鈴木", "Suzuki"), ("髙橋", "Takahashi"), ("田中", "Tanaka"),
    ("伊藤", "Ito"), ("渡邉", "Watanabe"), ("山本", "Yamamoto"), ("中村", "Nakamura"),
    ("小林", "Kobayashi"), ("加藤", "Kato"), ("吉田", "Yoshida"), ("山田", "Yamada"),
    ("佐々木", "Sasaki"), ("山﨑", "Yamazaki"), ("松本", "Matsumoto"), ("井上", "Inoue"),
    ("木村", "Kimura"), ("林", "Hayashi"), ("清水", "Shimizu"), ("齋藤", "Saito"),
    ("髙﨑", "Takasaki"), ("濵田", "Hamada"), ("池田", "Ikeda"), ("橋本", "Hashimoto"),
    ("阿部", "Abe"), ("石川", "Ishikawa"), ("前田", "Maeda"), ("藤田", "Fujita"),
    ("小川", "Ogawa"), ("岡田", "Okada"), ("後藤", "Goto"), ("長谷川", "Hasegawa"),
    ("村上", "Murakami"), ("近藤", "Kondo"), ("石井", "Ishii"), ("坂本", "Sakamoto"),
    ("遠藤", "Endo"), ("青木", "Aoki"), ("德永", "Tokunaga"), ("西村", "Nishimura"),
    ("太田", "Ota"), ("三浦", "Miura"), ("岡本", "Okamoto"), ("松田", "Matsuda"),
    ("中島", "Nakajima"), ("原田", "Harada"), ("宮﨑", "Miyazaki"), ("桒原", "Kuwahara"),
)  # fmt: skip
_GIVEN_NAMES = (
    ("健", "Ken"), ("誠", "Makoto"), ("浩二", "Koji"), ("大輔", "Daisuke"), ("直樹", "Naoki"),
    ("拓也", "Takuya"), ("翔太", "Shota"), ("隆", "Takashi"), ("和也", "Kazuya"),
    ("裕子", "Yuko"), ("美咲", "Misaki"), ("陽子", "Yoko"), ("恵", "Megumi"), ("愛", "Ai"),
    ("彩香", "Ayaka"), ("真由美", "Mayumi"), ("久美子", "Kumiko"), ("悠斗", "Yuto"),
    ("さくら", "Sakura"), ("結衣", "Yui"), ("蓮", "Ren"), ("義弘", "Yoshihiro"),
    ("千尋", "Chihiro"), ("智子", "Tomoko"), ("龍之介", "Ryunosuke"), ("礼子", "Reiko"),
)  # fmt: skip
_STEMS = (
    ("青葉", "Aoba"), ("東海", "Tokai"), ("北斗", "Hokuto"), ("瑞穂", "Mizuho"),
    ("旭", "Asahi"), ("大和", "Yamato"), ("日の出", "Hinode"), ("みどり", "Midori"),
    ("さざなみ", "Sazanami"), ("富士見", "Fujimi"), ("武蔵野", "Musashino"), ("浪速", "Naniwa"),
    ("筑紫", "Chikushi"), ("讃岐", "Sanuki"), ("信濃", "Shinano"), ("若狭", "Wakasa"),
    ("あおぞら", "Aozora"), ("こもれび", "Komorebi"), ("ひかり", "Hikari"), ("すずらん", "Suzuran"),
    ("ノヴァ", "Nova"), ("アルテ", "Arte"), ("ルミナス", "Luminous"), ("クレスト", "Crest"),
    ("ヴェルデ", "Verde"), ("オリオン", "Orion"), ("プリズム", "Prism"), ("コンパス", "Compass"),
    ("三﨑", "Misaki"), ("鷺沼", "Saginuma"), ("葛飾", "Katsushika"), ("近江", "Omi"),
)  # fmt: skip
# (Japanese, English); {} is the rest of the name.
_FORMS = (
    ("株式会社{}", "{} Co., Ltd."), ("{}株式会社", "{} K.K."),
    ("有限会社{}", "{} Ltd."), ("合同会社{}", "{} LLC"),
)  # fmt: skip
_FORM_SHARES = (0.52, 0.22, 0.14, 0.12)
_POSITIONS = (("経理部", "Accounting"), ("代表取締役", "President"), ("総務部", "Administration"))
_ALTERNATIVE_CONTACTS = 0.25  # of the companies


@dataclass(frozen=True)
class Trade:
    """What a company lives on. Ratios are of net sales; words are (Japanese, English)."""

    names: tuple[tuple[str, str], ...]  # endings of companies' names
    sold: tuple[tuple[str, str], ...]
    bought: tuple[tuple[str, str], ...]
    cost_accounts: tuple[int, ...]
    cost: float
    rent: float
    expenses: float
    depreciation: float
    on_credit: float  # share of sales
    reduced_rate: float  # share of sales and purchases taxed at 8 %
    stock: float  # stock in months of purchases; 0: none is kept
    ticket_yen: int  # net amount of a usual sale
    season: tuple[float, ...]  # sales of January … December


TRADES: Mapping[str, Trade] = {
    "construction": Trade(
        names=(("工務店", "Builders"), ("建設", "Construction"), ("設備工業", "Facilities")),
        sold=(("請負工事", "Contracts"), ("改修工事", "Renovation"), ("保守点検", "Inspection")),
        bought=(("資材", "Building materials"), ("外注工事", "Subcontracted work")),
        cost_accounts=(5140, 5150),
        cost=0.60, rent=0.015, expenses=0.07, depreciation=0.015, on_credit=1.0,
        reduced_rate=0.0, stock=0.0, ticket_yen=380_000,
        season=(0.9, 1.0, 1.6, 0.8, 0.8, 0.9, 0.9, 0.8, 1.1, 1.0, 1.0, 1.2),
    ),
    "wholesale": Trade(
        names=(("商事", "Trading"), ("物産", "Products"), ("商会", "Company")),
        sold=(("商品売上", "Merchandise"), ("定期納品", "Regular delivery"), ("特注品", "Order")),
        bought=(("商品仕入", "Merchandise"), ("輸入品仕入", "Imported goods")),
        cost_accounts=(5120,),
        cost=0.74, rent=0.012, expenses=0.06, depreciation=0.008, on_credit=0.96,
        reduced_rate=0.2, stock=0.8, ticket_yen=110_000,
        season=(0.9, 0.9, 1.1, 1.0, 0.9, 1.0, 1.1, 0.9, 1.0, 1.0, 1.1, 1.2),
    ),
    "retail": Trade(
        names=(("商店", "Store"), ("ストア", "Stores"), ("屋", "Shop")),
        sold=(("店頭売上", "Shop sales"), ("通販売上", "Online sales")),
        bought=(("商品仕入", "Merchandise"), ("季節商品仕入", "Seasonal goods")),
        cost_accounts=(5120,),
        cost=0.60, rent=0.05, expenses=0.08, depreciation=0.012, on_credit=0.45,
        reduced_rate=0.35, stock=1.2, ticket_yen=24_000,
        season=(1.0, 0.8, 1.0, 0.9, 1.0, 0.9, 1.1, 1.0, 0.9, 0.9, 1.0, 1.5),
    ),
    "restaurant": Trade(
        names=(("食堂", "Dining"), ("フーズ", "Foods"), ("茶寮", "Tea House")),
        sold=(("飲食売上", "Eat-in sales"), ("宴会売上", "Parties"), ("弁当売上", "Box lunches")),
        bought=(("食材仕入", "Ingredients"), ("酒類仕入", "Drinks"), ("米穀仕入", "Rice")),
        cost_accounts=(5120,),
        cost=0.33, rent=0.085, expenses=0.11, depreciation=0.02, on_credit=0.35,
        reduced_rate=0.3, stock=0.15, ticket_yen=30_000,
        season=(1.0, 0.8, 1.1, 1.1, 1.0, 0.9, 1.0, 1.0, 0.9, 1.0, 1.0, 1.4),
    ),
    "software": Trade(
        names=(("ソフト", "Software"), ("システムズ", "Systems"), ("デジタル", "Digital")),
        sold=(("受託開発", "Development"), ("保守料", "Maintenance"), ("利用料", "Subscription")),
        bought=(("外注開発費", "Subcontracted development"), ("クラウド利用料", "Cloud services")),
        cost_accounts=(5150, 5170),
        cost=0.28, rent=0.035, expenses=0.09, depreciation=0.01, on_credit=1.0,
        reduced_rate=0.0, stock=0.0, ticket_yen=450_000,
        season=(0.9, 0.9, 1.5, 0.8, 0.9, 1.0, 0.9, 0.9, 1.2, 0.9, 1.0, 1.1),
    ),
    "manufacturing": Trade(
        names=(("製作所", "Works"), ("精機", "Precision"), ("化成", "Chemical")),
        sold=(("製品売上", "Products"), ("部品売上", "Parts"), ("加工賃", "Processing")),
        bought=(("原材料", "Raw materials"), ("外注加工", "Outside processing")),
        cost_accounts=(5140, 5150),
        cost=0.53, rent=0.018, expenses=0.08, depreciation=0.04, on_credit=1.0,
        reduced_rate=0.0, stock=0.6, ticket_yen=160_000,
        season=(0.9, 1.0, 1.2, 1.0, 0.9, 1.0, 1.1, 0.8, 1.0, 1.0, 1.0, 1.1),
    ),
    "transport": Trade(
        names=(("運輸", "Transport"), ("物流", "Logistics"), ("急送", "Express")),
        sold=(("運賃収入", "Freight"), ("倉庫保管料", "Storage"), ("チャーター便", "Charter")),
        bought=(("傭車料", "Chartered trucks"), ("燃料", "Fuel")),
        cost_accounts=(5150, 5170),
        cost=0.36, rent=0.03, expenses=0.16, depreciation=0.04, on_credit=1.0,
        reduced_rate=0.0, stock=0.0, ticket_yen=90_000,
        season=(0.9, 0.9, 1.3, 1.1, 0.9, 0.9, 1.0, 0.9, 1.0, 1.0, 1.1, 1.3),
    ),
    "design": Trade(
        names=(("デザイン", "Design"), ("企画", "Planning"), ("広告社", "Advertising")),
        sold=(("制作料", "Production"), ("企画料", "Planning fee"), ("広告掲載料", "Adverts")),
        bought=(("外注制作費", "Freelancers"), ("媒体費", "Media")),
        cost_accounts=(5150,),
        cost=0.34, rent=0.045, expenses=0.10, depreciation=0.008, on_credit=1.0,
        reduced_rate=0.0, stock=0.0, ticket_yen=220_000,
        season=(0.9, 1.0, 1.4, 0.9, 0.9, 1.0, 0.9, 0.8, 1.1, 1.0, 1.0, 1.1),
    ),
}  # fmt: skip


@dataclass(frozen=True)
class SampleCompany:
    """A tenant: how it is set up, and whom it deals with."""

    tenant_id: str
    name: str
    language: str
    currency: str
    time_zone: str
    fiscal_year_start_month: int
    closing_day: int
    consumption_tax_basis: str
    display_unit: str
    plan: str
    copy_language: str | None
    contacts: tuple[Contact, ...]
    trade: Trade
    posts_closing_entries: bool
    last_month_closed: bool
    changes_fiscal_year: bool


def sample_company(number: int, seed: int) -> SampleCompany:
    """The company of this number (from 1) under this seed."""
    rng = np.random.default_rng([seed, number, 0])
    tenant_id = f"t{number:04d}"
    language = "en" if rng.random() < 1 / 12 else "ja"
    abroad = language == "en" and rng.random() < 1 / 4
    trade = TRADES[list(TRADES)[rng.integers(len(TRADES))]]
    basis = rng.choice(["exclusive", "inclusive", "none"], p=[0.82, 0.11, 0.07])
    people = person_names(rng, int(rng.integers(1, 4)), language)
    # Drawn apart, so that companies stay what they were before these habits were known, and
    # alternative contacts.
    habits = np.random.default_rng([seed, number, 3]).random(4)
    others = np.random.default_rng([seed, number, 4])
    name = company_names(rng, [trade], language)[0]
    fiscal_year_start_month = int(
        rng.choice([4, 1, 10, 7, 9, 6, 3], p=[0.46, 0.16, 0.12, 0.10, 0.07, 0.05, 0.04])
    )
    plan = str(rng.choice(["light", "standard", "premium"], p=[0.3, 0.5, 0.2]))
    has_copy = plan == "premium" and habits[3] < 0.5
    domains = rng.choice(["example.jp", "example.com"], len(people))
    readers = [
        Contact(
            contact_no,
            f"{in_language(_POSITIONS[contact_no - 1], language)} {person}",
            f"{tenant_id}.{contact_no}@{domain}",
        )
        for contact_no, (person, domain) in enumerate(zip(people, domains, strict=True), start=1)
    ]
    return SampleCompany(
        tenant_id=tenant_id,
        name=name,
        language=language,
        currency="USD" if abroad else "JPY",
        time_zone="America/Los_Angeles" if abroad else "Asia/Tokyo",
        fiscal_year_start_month=fiscal_year_start_month,
        closing_day=20 if habits[0] < 0.06 else 31,
        consumption_tax_basis="none" if abroad else str(basis),
        display_unit="thousand" if habits[1] < 0.15 and not abroad else "one",
        plan=plan,
        copy_language=in_language(("en", "ja"), language) if has_copy else None,
        contacts=(*readers, *_alternative_contact(others, tenant_id, language, len(readers) + 1)),
        trade=trade,
        posts_closing_entries=bool(rng.random() < 0.4),
        last_month_closed=bool(rng.random() >= 1 / 12),
        changes_fiscal_year=bool(habits[2] < 0.03),
    )


def _alternative_contact(
    rng: np.random.Generator, tenant_id: str, language: str, contact_no: int
) -> Iterator[Contact]:
    """A few companies name their tax accountant."""
    if rng.random() >= _ALTERNATIVE_CONTACTS:
        return
    person = person_names(rng, 1, language)[0]
    position = in_language(("顧問税理士", "Tax accountant"), language)
    yield Contact(
        contact_no,
        f"{position} {person}",
        f"{tenant_id}.{contact_no}@example.com",
        ContactPurpose.ALTERNATIVE,
    )


def company_names(rng: np.random.Generator, trades: Sequence[Trade], language: str) -> list[str]:
    """A name for a company of each of these trades."""
    stems = _STEMS + _SURNAMES
    drawn = zip(
        trades,
        rng.integers(len(stems), size=len(trades)),
        rng.random(len(trades)),
        rng.choice(len(_FORMS), p=_FORM_SHARES, size=len(trades)),
        strict=True,
    )
    names = []
    for trade, stem, ending, form in drawn:
        words = (stems[stem], trade.names[int(ending * len(trade.names))])
        separator = "" if language == "ja" else " "
        name = separator.join(in_language(word, language) for word in words)
        names.append(in_language(_FORMS[form], language).format(name))
    return names


def partner_names(rng: np.random.Generator, count: int, language: str) -> list[str]:
    """Names of customers or suppliers."""
    trades = list(TRADES.values())
    return company_names(
        rng, [trades[index] for index in rng.integers(len(trades), size=count)], language
    )


def person_names(rng: np.random.Generator, count: int, language: str) -> list[str]:
    surnames = rng.integers(len(_SURNAMES), size=count)
    given_names = rng.integers(len(_GIVEN_NAMES), size=count)
    names = ((_SURNAMES[s], _GIVEN_NAMES[g]) for s, g in zip(surnames, given_names, strict=True))
    if language == "ja":
        return [f"{surname[0]} {given_name[0]}" for surname, given_name in names]
    return [f"{given_name[1]} {surname[1]}" for surname, given_name in names]


def in_language(words: tuple[str, str], language: str) -> str:
    """The Japanese word of the two, or the English one."""
    return words[0] if language == "ja" else words[1]
