"""Pages look as they were approved; see `approved_pages.py` for how to approve another look."""

from __future__ import annotations

import pytest

from reports_pipeline.documents.branding import Template
from tests.documents.approved_pages import (
    DOTS_PER_INCH,
    MOST_ANYWHERE,
    MOST_ON_AVERAGE,
    approved_pages,
    differences,
    drawn_pages,
)


@pytest.mark.parametrize("template", Template)
def test_pages_look_as_they_were_approved(template: Template) -> None:
    drawn, approved = drawn_pages(template), approved_pages(template)

    assert drawn.size == approved.size
    largest, mean, (x, y) = differences(drawn, approved)

    assert largest <= MOST_ANYWHERE and mean <= MOST_ON_AVERAGE, (  # noqa: PT018 - one message
        f"The pages of {template} differ from those approved, most at ({x}, {y}) of "
        f"approved/{template}.png. Where that is meant, draw them anew and look at them: "
        "python -m tests.documents.approved_pages"
    )


def test_a_column_that_moved_by_3_mm_is_noticed() -> None:
    drawn = drawn_pages(Template.MODERN)
    pixels = round(3 / 25.4 * DOTS_PER_INCH)
    left, top, right, bottom = 330, 190, 370, 420
    moved = drawn.copy()
    moved.paste(drawn.crop((left, top, right, bottom)), (left + pixels, top))

    largest, _, (x, y) = differences(moved, approved_pages(Template.MODERN))

    assert largest > MOST_ANYWHERE
    assert left - pixels <= x <= right + pixels
    assert top <= y <= bottom
