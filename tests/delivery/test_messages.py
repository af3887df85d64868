import datetime
import email
import email.policy
import re
from dataclasses import dataclass, replace
from email.header import decode_header, make_header
from email.headerregistry import Address, AddressHeader
from email.message import EmailMessage
from email.utils import getaddresses

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from reports_pipeline.accounting.failures import FailureCode, TenantFailureError
from reports_pipeline.delivery.deliveries import (
    ChangedFigure,
    KeyFigure,
    Letter,
    LetterCorrection,
    Recipient,
)
from reports_pipeline.delivery.enclosures import MAX_MESSAGE_BYTES, DocumentLink, DocumentLinks
from reports_pipeline.delivery.errors import BadAddressError
from reports_pipeline.delivery.messages import Envelope, MailSettings, build_message
from reports_pipeline.delivery.mime import Mail, SharedAttachment
from tests.delivery.examples import CONTENTS, FILE_NAMES, LETTER, MEDIA_TYPES, OCTOBER, SATO

ENVELOPE = Envelope("t0001", OCTOBER, 1, recipient_no=1)
JAPAN = datetime.timezone(datetime.timedelta(hours=9))
SENT_AT = datetime.datetime(2026, 11, 1, 6, 30, tzinfo=JAPAN)


@dataclass(frozen=True)
class File:
    file_name: str
    media_type: str
    content: bytes


UNPRINTABLE = ["\r\n", "\n", "\r", "\x00", "\x85", "\u2028", "\u202e", "\ud800"]
ENCODED = "=?utf-8?q?=0D?="
FILES = [File(FILE_NAMES[name], MEDIA_TYPES[name], CONTENTS[name]) for name in CONTENTS]
ATTACHMENTS = [SharedAttachment(file) for file in FILES]


def built(letter: Letter = LETTER, recipient: Recipient = SATO, files: list[File] = FILES) -> Mail:
    return build_message(
        letter,
        [SharedAttachment(file) for file in files],
        envelope=ENVELOPE,
        recipient=recipient,
        settings=MailSettings(),
        sent_at=SENT_AT,
    )


def received(mail: Mail) -> EmailMessage:
    """The mail as a mail program parses it from the wire."""
    parsed = email.message_from_bytes(mail.as_bytes(), policy=email.policy.default)
    assert isinstance(parsed, EmailMessage)
    assert not parsed.defects
    return parsed


def text(message: EmailMessage, kind: str = "plain") -> str:
    body = message.get_body((kind,))
    assert isinstance(body, EmailMessage)
    content = body.get_content()
    assert isinstance(content, str)
    return content


def received_text(letter: Letter) -> str:
    return text(received(built(letter)))


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
        "=?utf-8?q?x?=@b.example",
        "=?us-ascii?q?x=0d=0aBcc:z=40q.example?=@b.example",
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
    assert set(mail.keys()) == set(received(built()).keys())


# As people's names come, and as somebody would write one to have a mail go elsewhere.
NAMES = st.lists(
    st.sampled_from(
        ["経理部", "髙" * 30, "é", "😀", "a", "x" * 40, "Smith Jones Company", "Head Office, Tokyo",
         " ", ", ", "<evil@y.example>", "evil@y.example", '"', "\\", "(", ")", ";", ":", "=", "?",
         "_", ".", "[", "]", "@", "\u00a0", "\u200b", "\u3000"]
    ),
    max_size=40,
).map(lambda parts: "".join(parts).strip()).filter(lambda name: "=?" not in name)  # fmt: skip


@given(name=NAMES, local_part=st.sampled_from(["sato", "s" * 64]))
@example(
    name="Sato, Hanako <cfo@other.example> (Accounting Department, Head Office, Okamoto K.K.)",
    local_part="sato",
)
def test_no_name_changes_who_gets_the_mail(name: str, local_part: str) -> None:
    address = f"{local_part}@yamada.example"
    wire = built(recipient=Recipient(name, address), files=[]).as_bytes()
    [head] = re.findall(r"^To: .*(?:\r\n .*)*", wire.decode("ascii"), re.MULTILINE)
    assert max(map(len, head.splitlines())) <= 100  # RFC 5322: 998
    assert all(len(word) <= 75 for word in re.findall(r"=\?utf-8\?\S+", head))  # RFC 2047

    parsed = email.message_from_bytes(wire, policy=email.policy.default)
    assert [each.addr_spec for each in parsed["To"].addresses] == [address]
    assert set(parsed.keys()) == set(received(built()).keys())
    [(shown, got)] = getaddresses([email.message_from_bytes(wire)["To"]])
    assert got == address
    # white space may change on the way
    assert str(make_header(decode_header(shown))).split() == name.split()


@pytest.mark.parametrize("name", ["Reports, Okamoto Precision K.K. " * 4, "経理レポート " * 12])
def test_a_sender_with_a_long_name_is_one_address_too(name: str) -> None:
    settings = MailSettings(mail_from=str(Address(name.strip(), addr_spec="r@yamada.example")))
    mail = received(
        build_message(
            LETTER, [], envelope=ENVELOPE, recipient=SATO, settings=settings, sent_at=SENT_AT
        )
    )
    assert [each.addr_spec for each in mail["From"].addresses] == ["r@yamada.example"]


@pytest.mark.parametrize("character", [*UNPRINTABLE, ENCODED])
def test_a_name_that_would_break_a_header_is_refused(character: str) -> None:
    with pytest.raises(BadAddressError):
        built(recipient=Recipient(f"佐藤{character}Bcc: evil@y.example", "sato@yamada.example"))


def why_it_is_bad(letter: Letter, files: list[File] = FILES) -> str:
    with pytest.raises(TenantFailureError) as raised:
        built(letter, files=files)
    assert raised.value.failure.code is FailureCode.BAD_TEXT
    return str(raised.value.failure.details["because_of"])


@pytest.mark.parametrize("character", UNPRINTABLE)
def test_tenant_text_that_does_not_print_blocks_the_tenant(character: str) -> None:
    text = f"株式会社{character}Bcc: evil@y.example"
    what = f"U+{ord(character[0]):04X}"
    assert why_it_is_bad(replace(LETTER, company_name=text)) == what
    assert why_it_is_bad(replace(LETTER, figures=(KeyFigure(text, "1円"),))) == what
    assert why_it_is_bad(LETTER, [File(text, "application/pdf", b"")]) == what


def test_what_mail_programs_would_decode_is_refused_where_they_would() -> None:
    text = f"株式会社{ENCODED}"
    assert "=?" in why_it_is_bad(replace(LETTER, company_name=text))
    assert "=?" in why_it_is_bad(LETTER, [File(f"{text}.pdf", "application/pdf", b"")])
    address = "https://yamada.example/?from=?mail"
    letter = replace(LETTER, note=address, figures=(KeyFigure(address, "1円"),))
    assert received_text(letter).count(address) == 2


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


def test_a_mail_above_the_limit_is_refused() -> None:
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
        read = re.sub("<[^>]+>", "", body)
        for words in ("売上高（当月）", "1,000 → 1,200", "売掛金（当月末）", "— → △200"):
            assert words in read


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


@pytest.mark.parametrize("language", ["ja", "en"])
def test_a_company_speaks_in_its_mails_and_names_whom_to_ask(language: str) -> None:
    letter = replace(
        LETTER,
        language=language,
        note="お急ぎの方は <内線 12> へ",
        support_address="fa@yamada.example",
    )
    mail = received(built(letter))
    assert "お急ぎの方は <内線 12> へ" in text(mail)
    assert "お急ぎの方は &lt;内線 12&gt; へ" in text(mail, "html")
    for kind in ("plain", "html"):
        assert "fa@yamada.example" in text(mail, kind)
        assert "support@financeflow.example" not in text(mail, kind)


@pytest.mark.parametrize("character", UNPRINTABLE)
def test_what_a_company_adds_must_print(character: str) -> None:
    text = f"a{character}b"
    for letter in (replace(LETTER, note=text), replace(LETTER, support_address=text)):
        with pytest.raises(TenantFailureError) as raised:
            built(letter)
        assert raised.value.failure.code is FailureCode.BAD_TEXT


LINKS = DocumentLinks(
    (
        DocumentLink("損益計算書_2026年10月.pdf", 84_211, "https://documents.example/a?b=1&c=2"),
        DocumentLink("<b>.xlsx", 1_340_000, "https://documents.example/d"),
    ),
    until=SENT_AT + datetime.timedelta(days=7),
)


def linked(letter: Letter) -> EmailMessage:
    return received(
        build_message(
            letter,
            LINKS,
            envelope=ENVELOPE,
            recipient=SATO,
            settings=MailSettings(),
            sent_at=SENT_AT,
        )
    )


@pytest.mark.parametrize(
    ("language", "time_zone", "until"),
    [
        ("ja", "Asia/Tokyo", "2026年11月8日 6:30（日本標準時）"),
        ("en", "Asia/Tokyo", "November 8, 2026, 6:30 AM (Japan Standard Time)"),
        ("en", "America/Los_Angeles", "November 7, 2026, 1:30 PM (Pacific Standard Time)"),
        ("ja", "Moon/Tranquility", "2026年11月8日 6:30（日本標準時）"),
    ],
)
def test_links_say_how_much_they_bring_and_until_when_they_work(
    language: str, time_zone: str, until: str
) -> None:
    mail = linked(replace(LETTER, language=language, time_zone=time_zone))
    assert list(mail.iter_attachments()) == []
    for kind in ("plain", "html"):
        body = text(mail, kind)
        assert until in body
        assert "85 KB" in body
        assert "1.3 MB" in body
        assert "添付" not in body
        assert "attached" not in body
    assert "    https://documents.example/a?b=1&c=2" in text(mail).splitlines()
    assert 'href="https://documents.example/a?b=1&amp;c=2"' in text(mail, "html")
    assert "<b>.xlsx" in text(mail)
    assert "&lt;b&gt;.xlsx" in text(mail, "html")


def test_a_mail_with_documents_speaks_of_no_links() -> None:
    for kind in ("plain", "html"):
        assert "リンク" not in text(received(built()), kind)


@pytest.mark.parametrize(("language", "mark"), [("ja", "【テスト送信】"), ("en", "[TEST] ")])
def test_a_test_is_the_same_mail_to_an_operator_under_another_identity(
    language: str, mark: str
) -> None:
    letter = replace(LETTER, language=language, correction=CORRECTION)
    real = received(built(letter))
    test = received(
        build_message(
            letter,
            ATTACHMENTS,
            envelope=replace(ENVELOPE, test_id="0a"),
            recipient=SATO,
            settings=MailSettings(),
            sent_at=SENT_AT,
            test_to="operator@financeflow.example",
        )
    )
    assert recipients(test) == [("", "operator@financeflow.example")]
    assert test["Subject"].replace(mark, "", 1) == real["Subject"]
    assert test["Subject"].index(mark) < test["Subject"].index("2")
    for kind in ("plain", "html"):  # the reference and the reader's name are those of the real one
        assert text(test, kind) == text(real, kind)
    for header in ("X-Report-Delivery-Id", "Message-ID"):
        assert ENVELOPE.delivery_id not in test[header]
        assert "test-0a" in test[header]


def test_a_test_goes_to_one_address_only() -> None:
    with pytest.raises(BadAddressError):
        build_message(
            LETTER,
            ATTACHMENTS,
            envelope=ENVELOPE,
            recipient=SATO,
            settings=MailSettings(),
            sent_at=SENT_AT,
            test_to="a@b.example, evil@y.example",
        )
