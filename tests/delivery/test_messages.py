import datetime
import email
import email.policy
from dataclasses import dataclass, replace
from email.headerregistry import AddressHeader
from email.message import EmailMessage

import pytest

from reports_pipeline.accounting.failures import FailureCode, TenantFailureError
from reports_pipeline.delivery.deliveries import (
    ChangedFigure,
    KeyFigure,
    Letter,
    LetterCorrection,
    Recipient,
)
from reports_pipeline.delivery.errors import BadAddressError
from reports_pipeline.delivery.messages import (
    MAX_MESSAGE_BYTES,
    Envelope,
    MailSettings,
    build_message,
)
from tests.delivery.examples import CONTENTS, FILE_NAMES, LETTER, MEDIA_TYPES, OCTOBER, SATO

ENVELOPE = Envelope("t0001", OCTOBER, 1, recipient_no=1)
JAPAN = datetime.timezone(datetime.timedelta(hours=9))
SENT_AT = datetime.datetime(2026, 11, 1, 6, 30, tzinfo=JAPAN)


@dataclass(frozen=True)
class File:
    file_name: str
    media_type: str
    content: bytes


UNPRINTABLE = ["\r\n", "\n", "\r", "\x00", "\x85", "\u2028", "\u202e", "\ud800", "=?utf-8?q?=0D?="]
FILES = [File(FILE_NAMES[name], MEDIA_TYPES[name], CONTENTS[name]) for name in CONTENTS]


def built(
    letter: Letter = LETTER, recipient: Recipient = SATO, files: list[File] = FILES
) -> EmailMessage:
    return build_message(
        letter,
        files,
        envelope=ENVELOPE,
        recipient=recipient,
        settings=MailSettings(),
        sent_at=SENT_AT,
    )


def received(message: EmailMessage) -> EmailMessage:
    """The mail as a mail program parses it from the wire."""
    parsed = email.message_from_bytes(message.as_bytes(), policy=email.policy.default)
    assert isinstance(parsed, EmailMessage)
    assert not parsed.defects
    return parsed


def text(message: EmailMessage, kind: str = "plain") -> str:
    body = message.get_body((kind,))
    assert isinstance(body, EmailMessage)
    content = body.get_content()
    assert isinstance(content, str)
    return content


def recipients(message: EmailMessage) -> list[tuple[str, str]]:
    header = message["To"]
    assert isinstance(header, AddressHeader)
    return [(address.display_name, address.addr_spec) for address in header.addresses]


def test_a_japanese_company_reads_japanese() -> None:
    mail = received(built())
    assert mail["Subject"] == (
        "【FinanceFlow】2026年10月度 月次レポートのお知らせ（株式会社山田製作所）"
    )
    assert mail["From"] == "FinanceFlow <reports@financeflow.example>"
    assert recipients(mail) == [("佐藤 花子", "sato@yamada.example")]
    for kind in ("plain", "html"):
        body = text(mail, kind)
        assert "株式会社山田製作所 御中" in body
        assert "佐藤 花子 様" in body
        assert "2026年10月度の月次レポート" in body
        assert "当期純利益" in body
        assert "△98,765円" in body
        assert "損益計算書_2026年10月.xlsx" in body
        assert "support@financeflow.example" in body
        assert "https://app.financeflow.example/settings/reports" in body
        assert "未締め・暫定" not in body


def test_an_english_company_reads_english() -> None:
    letter = Letter("Acme K.K.", "en", False, (KeyFigure("Net sales", "1,234.56 US dollars"),))
    mail = received(built(letter, Recipient("Jane Roe", "jane@acme.example")))
    assert mail["Subject"] == "[FinanceFlow] Monthly reports for October 2026 (Acme K.K.)"
    for kind in ("plain", "html"):
        assert "Dear Jane Roe," in text(mail, kind)
        assert "1,234.56 US dollars" in text(mail, kind)


@pytest.mark.parametrize(("language", "mark"), [("ja", "【暫定】"), ("en", "[Provisional]")])
def test_a_month_that_is_not_closed_is_marked(language: str, mark: str) -> None:
    mail = received(built(replace(LETTER, language=language, provisional=True)))
    assert mark in mail["Subject"]
    note = {"ja": "未締め・暫定", "en": "rovisional"}[language]
    assert note in text(mail)
    assert note in text(mail, "html")


def test_attachments_arrive_byte_for_byte_under_their_japanese_names() -> None:
    attachments = list(received(built()).iter_attachments())
    assert [
        (part.get_filename(), part.get_content_type(), part.get_payload(decode=True))
        for part in attachments
    ] == [(file.file_name, file.media_type, file.content) for file in FILES]
    # RFC 2231, which every common mail program reads; a bare 8-bit name is read by few.
    assert b"filename*0*=utf-8''%E6%90%8D" in built().as_bytes()


def test_the_wire_is_plain_ascii_in_short_lines() -> None:
    wire = built().as_bytes()
    wire.decode("ascii")
    lines = wire.split(b"\r\n")
    assert max(map(len, lines)) <= 998  # RFC 5322
    assert not any(b"\n" in line or b"\r" in line for line in lines)


def test_the_headers_tell_which_delivery_it_is() -> None:
    mail = received(built())
    assert mail["X-Report-Delivery-Id"] == ENVELOPE.delivery_id
    assert mail["Message-ID"] == f"<{ENVELOPE.delivery_id}.1@financeflow.example>"
    assert mail["Date"].datetime == SENT_AT
    assert mail["Auto-Submitted"] == "auto-generated"
    digits = ENVELOPE.delivery_id[:16].upper()
    assert f"管理番号: {digits[:4]}-{digits[4:8]}-" in text(mail)


def test_an_id_is_never_folded_away_from_its_header() -> None:
    header = f"\r\nX-Report-Delivery-Id: {ENVELOPE.delivery_id}\r\n"
    assert header.encode() in built().as_bytes()


def test_the_same_mail_is_the_same_bytes() -> None:
    assert built().as_bytes() == built().as_bytes()


@pytest.mark.parametrize(
    "address",
    [
        "",
        "nobody",
        "a@b",
        "a@b.example, evil@y.example",
        "a@b.example;evil@y.example",
        "a@b.example evil@y.example",
        "Evil <evil@y.example>",
        "a@b.example\r\nBcc: evil@y.example",
        "a@b.example\n",
        "a@b.example\x00",
        '"a,evil@y.example"@b.example',
        "a(comment)@b.example",
        "a@@b.example",
        ".a@b.example",
        "a..b@c.example",
        "a@-b.example",
        "a@b..example",
        "a@[127.0.0.1]",
        "花子@b.example",
        "a" * 65 + "@b.example",
        "a@" + "b" * 64 + ".example",
        "a@" + "b.example." * 26 + "jp",
    ],
)
def test_what_is_not_exactly_one_address_is_refused(address: str) -> None:
    with pytest.raises(BadAddressError):
        built(recipient=Recipient("佐藤", address))


@pytest.mark.parametrize(
    "address",
    ["a@b.example", "keiri+reports@sub.yamada.co.jp", "o'neil_1@b-c.example", "x@xn--wgv71a.jp"],
)
def test_ordinary_addresses_are_taken_as_they_are(address: str) -> None:
    assert recipients(received(built(recipient=Recipient("", address)))) == [("", address)]


@pytest.mark.parametrize(
    "name",
    [
        "Evil <evil@y.example>",
        "a@b.example, evil@y.example",
        '"quoted" \\ (comment)',
        "経理部長 佐藤,花子（財務・経理・総務担当）; 株式会社山田製作所グループ本社管理本部" * 2,
        "𠮷田 😀",
    ],
)
def test_a_name_never_becomes_an_address(name: str) -> None:
    mail = received(built(recipient=Recipient(name, "sato@yamada.example")))
    (address,) = mail["To"].addresses
    assert address.addr_spec == "sato@yamada.example"
    assert set(mail.keys()) == set(built().keys())


@pytest.mark.parametrize("character", UNPRINTABLE)
def test_a_name_that_would_break_a_header_is_refused(character: str) -> None:
    with pytest.raises(BadAddressError):
        built(recipient=Recipient(f"佐藤{character}Bcc: evil@y.example", "sato@yamada.example"))


@pytest.mark.parametrize("character", UNPRINTABLE)
def test_tenant_text_that_does_not_print_blocks_the_tenant(character: str) -> None:
    text = f"株式会社{character}Bcc: evil@y.example"
    letters = [
        replace(LETTER, company_name=text),
        replace(LETTER, figures=(KeyFigure(text, "1円"),)),
    ]
    for letter in letters:
        with pytest.raises(TenantFailureError) as raised:
            built(letter)
        assert raised.value.failure.code is FailureCode.BAD_TEXT
    with pytest.raises(TenantFailureError):
        built(files=[File(text, "application/pdf", b"")])


def test_tenant_text_is_data_in_html() -> None:
    attack = "<script>alert(1)</script>&<img src=x>"
    letter = replace(LETTER, company_name=attack, figures=(KeyFigure(attack, attack),))
    files = [File(f"{attack}.pdf", "application/pdf", b"%PDF")]
    mail = received(built(letter, Recipient(attack, "sato@yamada.example"), files))
    html = text(mail, "html")
    assert "<script" not in html
    assert "<img" not in html
    assert html.count("&lt;script&gt;alert(1)&lt;/script&gt;&amp;&lt;img src=x&gt;") == 5
    assert attack in text(mail)


def test_braces_and_template_marks_in_tenant_text_are_text() -> None:
    attack = "{company} {{ 7 * 7 }} {% raw %} %s"
    assert attack in text(received(built(replace(LETTER, company_name=attack))))


def test_a_mail_above_the_limit_is_refused_before_it_is_built() -> None:
    just_fits = MAX_MESSAGE_BYTES // 78 * 57
    file = File("a.pdf", "application/pdf", bytes(just_fits + 1))
    with pytest.raises(TenantFailureError) as raised:
        built(files=[file])
    assert raised.value.failure.code is FailureCode.TOO_LARGE


CORRECTION = LetterCorrection(
    corrects=1,
    revision=2,
    figures=(
        ChangedFigure("月次損益計算書 売上高（当月）", "1,000", "1,200"),
        ChangedFigure("月次貸借対照表 売掛金（当月末）", "—", "△200"),
    ),
    changes=14,
)


@pytest.mark.parametrize(
    ("language", "mark", "sentence", "total"),
    [
        ("ja", "【訂正版 第2版】", "第1版の訂正版（第2版）です。", "金額の変更箇所は、"),
        ("en", "[Correction, revision 2]", "which corrects revision 1.", "Amounts changed in all"),
    ],
)
def test_a_correction_lists_what_changed(
    language: str, mark: str, sentence: str, total: str
) -> None:
    mail = received(built(replace(LETTER, language=language, correction=CORRECTION)))
    assert mark in mail["Subject"]
    for kind in ("plain", "html"):
        body = text(mail, kind)
        assert sentence in body
        assert total in body
        assert "14" in next(line for line in body.splitlines() if total in line)
        for words in ("売上高（当月）", "1,000 → 1,200", "売掛金（当月末）", "— → △200"):
            assert words in body


def test_what_corrects_nothing_says_nothing_of_corrections() -> None:
    mail = received(built())
    assert "訂正" not in mail["Subject"]
    for kind in ("plain", "html"):
        assert "訂正" not in text(mail, kind)
        assert "→" not in text(mail, kind)


def test_a_provisional_correction_is_marked_as_both() -> None:
    mail = received(built(replace(LETTER, provisional=True, correction=CORRECTION)))
    assert "【訂正版 第2版】【暫定】" in mail["Subject"]


def test_text_of_changes_is_data_and_must_print() -> None:
    attack = "<img src=x>"
    shown = replace(CORRECTION, figures=(ChangedFigure(attack, attack, attack),))
    html = text(received(built(replace(LETTER, correction=shown))), "html")
    assert "<img" not in html
    assert html.count("&lt;img src=x&gt;") == 3
    for field in ("label", "before", "after"):
        broken = replace(CORRECTION.figures[0], **{field: "売\u202e上"})
        with pytest.raises(TenantFailureError) as raised:
            built(replace(LETTER, correction=replace(CORRECTION, figures=(broken,))))
        assert raised.value.failure.code is FailureCode.BAD_TEXT
