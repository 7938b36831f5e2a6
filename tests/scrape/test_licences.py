"""Every way of writing a licence ends in one vocabulary."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrape.licences import licence_of

CC = "https://creativecommons.org"


@pytest.mark.parametrize(
    ("name", "url", "identifier"),
    [
        ("CC0-1.0", "", "CC0-1.0"),
        ("cc0", "", "CC0-1.0"),
        ("CC Zero", "", "CC0-1.0"),
        ("CC0 1.0 Universal (CC0 1.0) Public Domain Dedication", "", "CC0-1.0"),
        ("", f"{CC}/publicdomain/zero/1.0/", "CC0-1.0"),
        ("pdm", "", "PDM-1.0"),
        ("Public domain", "", "PDM-1.0"),
        ("Public Domain Mark 1.0", "", "PDM-1.0"),
        ("", f"{CC}/publicdomain/mark/1.0/", "PDM-1.0"),
        ("CC BY 4.0", "", "CC-BY-4.0"),
        ("CC-BY-SA-4.0", "", "CC-BY-SA-4.0"),
        ("cc by sa 2.0 de", "", "CC-BY-SA-2.0"),
        ("Creative Commons Attribution 4.0 International License", "", "CC-BY-4.0"),
        ("Attribution-NonCommercial-ShareAlike 4.0 International", "", "CC-BY-NC-SA-4.0"),
        ("Attribution-NoDerivs 2.0 Generic", "", "CC-BY-ND-2.0"),
        ("by-nc-nd", "", "CC-BY-NC-ND"),
        ("by-nd-nc", f"{CC}/licenses/by-nc-nd/2.0/jp/", "CC-BY-NC-ND-2.0"),
        ("by", f"{CC}/licenses/by/3.0/", "CC-BY-3.0"),
        ("CC BY", f"{CC}/licenses/by/3.0/", "CC-BY-3.0"),
        ("CC BY", f"{CC}/licenses/by-nc/3.0/", "CC-BY"),
        ("CC BY-SA 4.0", f"{CC}/licenses/by/2.0/", "CC-BY-SA-4.0"),
        ("see link", "http://creativecommons.org/licenses/by-sa/3.0/us/", "CC-BY-SA-3.0"),
        ("MIT", "", "MIT"),
        ("The MIT License", "", "MIT"),
        ("", "https://opensource.org/licenses/MIT", "MIT"),
        ("Apache License, Version 2.0", "", "Apache-2.0"),
        ("BSD-3-Clause", "", "BSD-3-Clause"),
        ("OFL-1.1", "", "OFL-1.1"),
        ("All rights reserved.", "", "all-rights-reserved"),
        ("© 2020 ACME, all rights reserved", "", "all-rights-reserved"),
        ("", "", "unknown"),
        ("unknown", "", "unknown"),
        ("free to look at", "https://example.org/terms", "unknown"),
        ("by Anna", "", "unknown"),
        ("cc sampling", "", "unknown"),
        ("MIT Press", "", "unknown"),
    ],
)
def test_a_licence_has_one_name(name: str, url: str, identifier: str) -> None:
    assert licence_of(name, url).id == identifier


def test_a_known_licence_brings_its_address_and_a_stated_one_is_kept() -> None:
    assert licence_of("CC BY-SA 4.0").url == f"{CC}/licenses/by-sa/4.0/"
    assert licence_of("CC0").url == f"{CC}/publicdomain/zero/1.0/"
    stated = "https://example.org/terms"
    assert licence_of("free", stated).url == licence_of("MIT", stated).url == stated


def test_an_address_that_is_no_web_address_is_dropped() -> None:
    assert licence_of("", "javascript:alert(1)").url == ""


@given(st.text(max_size=50), st.text(max_size=50))
def test_any_words_have_a_licence_and_its_name_means_itself(name: str, url: str) -> None:
    identifier = licence_of(name, url).id
    assert licence_of(identifier).id == identifier
