"""Which subsets of the fonts documents carry."""

from __future__ import annotations

import gc
import io
import json
import tracemalloc
from importlib.resources import files

import pytest
from pypdf import PdfReader

from benchmarks.sample_reports import sample_reports
from reports_pipeline.documents import bundle
from reports_pipeline.documents.fonts import DocumentKind, report_fonts, tenant_alphabets
from reports_pipeline.documents.glyphs import printable_characters

KIND = DocumentKind("income_statement", "ja")


def fonts_of(pdf: bytes) -> dict[str, int]:
    """The fonts of a document's first page, and how many characters each has."""
    [page, *_] = PdfReader(io.BytesIO(pdf)).pages
    fonts = page["/Resources"]["/Font"]  # type: ignore[index]
    return {name: font.get_object()["/LastChar"] for name, font in fonts.items()}


def test_usual_characters_are_in_the_vocabulary_and_others_in_a_shared_subset() -> None:
    [[first, _], [second, _]] = tenant_alphabets([KIND, DocumentKind("balance_sheet", "ja")])

    assert [subset for subset, _ in first.encode("売上高")] == [0]
    assert [subset for subset, _ in first.encode("売上驫高")] == [0, 1, 0]
    assert first.encode("驫") == second.encode("驫")


def test_tenants_do_not_share_their_characters() -> None:
    [[first, _]] = tenant_alphabets([KIND])
    first.encode("龘")
    [[second, _]] = tenant_alphabets([KIND])

    assert second.encode("驫") == [(1, "01")]


def test_document_without_a_vocabulary_is_printed_all_the_same() -> None:
    [[alphabet, _]] = tenant_alphabets([DocumentKind("new_report", "ja")])

    assert alphabet.encode("売上") == [(1, "0102")]
    assert [name for name, _ in alphabet.embedded_subsets()] == ["NotoSansJP-Regular+1"]


def test_no_text_needs_no_subset() -> None:
    [[alphabet, _]] = tenant_alphabets([DocumentKind("new_report", "ja")])

    assert alphabet.encode("") == []
    assert alphabet.embedded_subsets() == []


def test_document_carries_only_the_subsets_it_uses() -> None:
    """The tenant's further characters are none of the cash-flow summary's."""
    [[income, _], [cash, _]] = tenant_alphabets([KIND, DocumentKind("cash_flow", "ja")])
    income.encode("驫")
    cash.encode("0")

    assert [name[-2:] for name, _ in income.embedded_subsets()] == ["+0", "+1"]
    assert [name[-2:] for name, _ in cash.embedded_subsets()] == ["+0"]


def vocabularies() -> dict[str, list[str]]:
    source = files("reports_pipeline.documents").joinpath("fonts/vocabularies.json")
    content: dict[str, list[str]] = json.loads(source.read_text("utf-8"))
    return content


def test_characters_are_printable_that_both_fonts_draw() -> None:
    regular, bold = report_fonts()
    drawn = regular.face.charToGlyph.keys() & bold.face.charToGlyph.keys()
    assert printable_characters() == set(map(chr, drawn))
    assert printable_characters() >= set("髙𠮷①ー€")


def test_vocabularies_fit_a_subset_and_have_glyphs() -> None:
    for kind, weights in vocabularies().items():
        for characters in weights:
            assert 0 < len(characters) == len(set(characters)) <= 255, kind
            assert printable_characters().issuperset(characters), kind


@pytest.mark.parametrize("number", [7_001, 7_002, 7_003])
def test_vocabularies_spare_companies_most_of_their_own_subset(number: int) -> None:
    """A sign that `benchmarks.vocabularies` should be run again, if it fails."""
    for document in bundle.render_pdfs(sample_reports(number), "0123456789abcdef"):
        fonts = fonts_of(document.content)
        own = sum(count for name, count in fonts.items() if not name.endswith("+0"))
        assert own < 0.6 * sum(fonts.values()), (document.name, fonts)


def test_memory_does_not_grow_with_tenants() -> None:
    kanji = sorted(c for c in printable_characters() if "一" <= c <= "龠")

    def memory_after(tenants: range) -> int:
        """Bytes in use when these tenants' subsets are made."""
        for tenant in tenants:
            for pair in tenant_alphabets([KIND]):
                for alphabet in pair:
                    alphabet.encode("".join(kanji[tenant * 20 : tenant * 20 + 40]))
                    assert len(alphabet.embedded_subsets()) == 2
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        before = memory_after(range(5))
        after = memory_after(range(5, 105))
    finally:
        tracemalloc.stop()

    # one tenant's subsets have over 10 kB
    assert after - before < 20_000
