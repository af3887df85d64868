"""What logos stand on."""

from __future__ import annotations

import pytest
from PIL import Image

from reports_pipeline.documents.branding import Logo
from reports_pipeline.documents.logo_ground import needs_accent_ground
from tests.documents.pictures import encoded, plain


def lettering(colour: str) -> Logo:
    """A bar on a transparent ground."""
    picture = Image.new("RGBA", (120, 30))
    picture.paste(colour, (10, 10, 110, 20))
    return Logo(encoded(picture), *picture.size)


@pytest.mark.parametrize(
    ("colour", "is_light"),
    [("white", True), ("#EEEECC", True), ("black", False), ("#7A1F3D", False)],
)
def test_light_lettering_needs_the_companys_colour_behind_it(colour: str, is_light: bool) -> None:
    assert needs_accent_ground(lettering(colour)) is is_light


def test_an_opaque_picture_brings_its_own_ground() -> None:
    assert not needs_accent_ground(Logo(encoded(plain(colour="#EEEECC")), 120, 30))
