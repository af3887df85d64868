import pytest

from reports_pipeline.documents.pdf.pages import text_width, wrap

SENTENCE = "当月の売上高は39,337千円で、前月の△1,234,567千円より増えています。"


@pytest.mark.parametrize("width", range(60, 260, 7))
def test_no_line_breaks_within_a_number(width: int) -> None:
    lines = wrap(SENTENCE, width, 9, lines=20)
    assert "".join(lines) == SENTENCE
    for line in lines:
        assert text_width(line, 9) <= width
    for number in ("39,337", "△1,234,567"):
        assert any(number in line for line in lines)


def test_a_number_wider_than_the_line_breaks_all_the_same() -> None:
    lines = wrap("1" * 60, 40, 9, lines=50)
    assert "".join(lines) == "1" * 60
    assert all(text_width(line, 9) <= 40 for line in lines)
