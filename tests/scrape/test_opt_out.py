"""What counts as a machine-readable no."""

import pytest

from scrape.opt_out import page_opt_out, picture_opt_out


@pytest.mark.parametrize(
    ("tags", "directive"),
    [
        (["noai"], "noai"),
        (["NoAI, noimageai"], "noai"),
        (["noimageai"], "noimageai"),
        (["noindex"], "noindex"),
        (["nofollow, noimageindex"], "noimageindex"),
        (["noml"], "noml"),
        (["none"], "none"),
        (["nofollow", "noai"], "noai"),
        (["pedigree: noai"], "noai"),
        (["*: noindex"], "noindex"),
        (["max-snippet: 20, noai"], "noai"),
        (["unavailable_after: 25 Jun 2010 15:00:00 PST"], ""),
        (["max-image-preview: none"], ""),
        (["otherbot: noindex, noai"], ""),
        (["all"], ""),
        (["nofollow, nosnippet"], ""),
        ([""], ""),
        ([], ""),
    ],
)
def test_a_pictures_header_is_read_for_us_and_for_all(tags: list[str], directive: str) -> None:
    assert picture_opt_out(tags) == directive


@pytest.mark.parametrize(("value", "directive"), [("1", "tdm-reservation"), ("0", ""), ("", "")])
def test_a_reserved_text_and_data_mining_right_is_a_no(value: str, directive: str) -> None:
    assert picture_opt_out([], value) == directive


@pytest.mark.parametrize(
    ("content", "directive"),
    [("noai", "noai"), ("NOIMAGEAI, x", "noimageai"), ("noindex, nofollow", ""), ("", "")],
)
def test_a_page_out_of_search_engines_still_shows_its_pictures(
    content: str, directive: str
) -> None:
    assert page_opt_out([content]) == directive
