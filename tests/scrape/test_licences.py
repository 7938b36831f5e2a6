"""Every way of writing a licence ends in one vocabulary."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataset.errors import ConfigError
from scrape.licences import (
    allows,
    attribution_line,
    is_accepted,
    is_free,
    licence_ids,
    licence_name,
    licence_of,
    needs_credit,
    require_accepted,
)

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
        ("CC BY-SA 3.0 de", "", "CC-BY-SA-3.0"),
        ("cc-by-sa-4.0,3.0,2.5,2.0,1.0", "", "CC-BY-SA-4.0"),
        ("Creative Commons Attribution-Share Alike 3.0 de", "", "CC-BY-SA-3.0"),
        ("CC BY 9.9", "", "CC-BY"),
        ("CC SA 1.0", "", "CC-SA-1.0"),
        ("pd", "", "PDM-1.0"),
        ("PD-old-100", "", "PDM-1.0"),
        ("PDF", "", "unknown"),
        ("PD-USGov-NASA", "", "us-government-work"),
        ("United States Government Work", "", "us-government-work"),
        ("Public Domain Dedication (CC0)", "", "CC0-1.0"),
        ("No restrictions", "", "no-known-copyright"),
        ("No known copyright restrictions", "", "no-known-copyright"),
        ("", "https://www.flickr.com/commons/usage/", "no-known-copyright"),
        ("Copyrighted free use", "", "copyrighted-free-use"),
        ("Copyrighted free use provided that", "", "unknown"),
        ("Attribution", "", "attribution"),
        ("Attribution", f"{CC}/licenses/by/4.0/", "CC-BY-4.0"),
        ("FAL", "", "LAL-1.3"),
        ("", "https://artlibre.org/licence/lal/licence-art-libre-12/", "LAL-1.2"),
        ("GFDL", "", "GFDL-1.2-or-later"),
        ("GFDL 1.3+", "", "GFDL-1.3-or-later"),
        ("GNU Free Documentation License, Version 1.3", "", "GFDL-1.3-only"),
        ("GPLv3", "", "GPL-3.0-only"),
        ("GPLv2+", "", "GPL-2.0-or-later"),
        ("OGL 3", "", "OGL-UK-3.0"),
        ("", "https://www.gnu.org/licenses/fdl-1.3.html", "GFDL-1.3-only"),
        ("", "https://rightsstatements.org/vocab/InC/1.0/", "all-rights-reserved"),
    ],
)
def test_a_licence_has_one_name(name: str, url: str, identifier: str) -> None:
    assert licence_of(name, url).id == identifier


def test_a_known_licence_brings_its_address_and_a_stated_one_is_kept() -> None:
    assert licence_of("CC BY-SA 4.0").url == f"{CC}/licenses/by-sa/4.0/"
    assert licence_of("CC0").url == f"{CC}/publicdomain/zero/1.0/"
    stated = "https://example.org/terms"
    assert licence_of("free", stated).url == licence_of("MIT", stated).url == stated


def test_the_address_of_another_licence_is_not_kept() -> None:
    assert licence_of("CC BY-SA 4.0", f"{CC}/licenses/by/2.0/").url == f"{CC}/licenses/by-sa/4.0/"
    assert licence_of("Public domain", f"{CC}/publicdomain/zero/1.0/").url.endswith("/mark/1.0/")


def test_a_port_keeps_or_gets_its_own_address() -> None:
    port = f"{CC}/licenses/by-sa/3.0/de/deed.en"
    assert licence_of("CC BY-SA 3.0 de", port).url == port
    assert licence_of("CC BY-SA 3.0 de").url == f"{CC}/licenses/by-sa/3.0/de/"
    assert licence_of("CC BY-SA 4.0 de").url == f"{CC}/licenses/by-sa/4.0/"
    assert licence_of("CC BY-NC-ND 1.0").url == f"{CC}/licenses/by-nd-nc/1.0/"


def test_an_address_that_is_no_web_address_is_dropped() -> None:
    assert licence_of("", "javascript:alert(1)").url == ""


@given(st.text(max_size=50), st.text(max_size=50))
def test_any_words_have_a_licence_and_its_name_means_itself(name: str, url: str) -> None:
    identifier = licence_of(name, url).id
    assert licence_of(identifier).id == identifier


@pytest.mark.parametrize("identifier", licence_ids())
def test_every_licence_is_meant_by_its_identifier_and_by_its_name(identifier: str) -> None:
    assert licence_of(identifier).id == identifier
    assert licence_of(licence_name(identifier)).id == identifier
    assert licence_of(identifier.lower()).id == identifier


@pytest.mark.parametrize("identifier", licence_ids())
def test_the_address_of_a_licence_leads_back_to_it(identifier: str) -> None:
    licence = licence_of(identifier)
    back = licence_of("", licence.url).id
    # A text of the GNU licences does not say whether a later one may be used.
    assert not licence.url or back == identifier.replace("or-later", "only")


@pytest.mark.parametrize(
    ("identifier", "name"),
    [
        ("CC-BY-4.0", "Creative Commons Attribution 4.0 International"),
        ("CC-BY-NC-SA-3.0", "Creative Commons Attribution-NonCommercial-ShareAlike 3.0 Unported"),
        ("CC-BY-ND", "Creative Commons Attribution-NoDerivatives"),
        ("GPL-2.0-or-later", "GNU General Public License 2.0 or later"),
        ("all-rights-reserved", "All rights reserved"),
        ("house-rules", "house-rules"),
    ],
)
def test_a_licence_has_a_name_for_people(identifier: str, name: str) -> None:
    assert licence_name(identifier) == name


@pytest.mark.parametrize(
    ("identifier", "shared", "sold", "changed", "credited"),
    [
        ("CC0-1.0", True, True, True, False),
        ("PDM-1.0", True, True, True, False),
        ("CC-BY-4.0", True, True, True, True),
        ("CC-BY-SA", True, True, True, True),
        ("CC-BY-NC-2.0", True, False, True, True),
        ("CC-BY-ND-2.0", True, True, False, True),
        ("CC-BY-NC-ND-4.0", True, False, False, True),
        ("no-known-copyright", True, True, True, False),
        ("MIT", True, True, True, True),
        ("all-rights-reserved", False, False, False, True),
        ("unknown", False, False, False, True),
        ("house-rules", False, False, False, True),
    ],
)
def test_what_a_licence_allows(
    identifier: str, shared: bool, sold: bool, changed: bool, credited: bool
) -> None:
    assert allows(identifier) is shared
    assert allows(identifier, commercial=True) is sold
    assert allows(identifier, derivatives=True) is changed
    assert is_free(identifier) is (sold and changed)
    assert needs_credit(identifier) is credited


@pytest.mark.parametrize("identifier", licence_ids())
def test_what_is_free_may_be_shared_and_passes_every_wider_gate(identifier: str) -> None:
    assert is_free(identifier) <= allows(identifier)
    assert is_accepted(identifier, ("free",)) <= is_accepted(identifier, ("shareable",))
    assert is_accepted(identifier, ("any",))


def test_a_gate_names_licences_with_or_without_their_version() -> None:
    assert is_accepted("CC-BY-4.0", ("CC-BY",))
    assert is_accepted("CC-BY-4.0", ("MIT", "CC-BY-4.0"))
    assert not is_accepted("CC-BY-4.0", ("CC-BY-2.0", "CC-BY-SA"))
    assert not is_accepted("CC-BY-NC-4.0", ("free",))
    assert not is_accepted("unknown", ("shareable",))


def test_a_gate_with_a_licence_that_is_none_says_what_was_meant() -> None:
    require_accepted(("any", "free", "CC-BY", "GFDL-1.3-only"), "licences")
    with pytest.raises(ConfigError, match=r"'cc by 4' is no licence; write 'CC-BY-4\.0'"):
        require_accepted(("cc by 4",), "licences")
    with pytest.raises(ConfigError, match="write ids such as"):
        require_accepted(("fre",), "licences")


def test_an_attribution_line_names_title_author_licence_and_source() -> None:
    line = attribution_line(
        'A "red" <i>panda</i>',
        "Anna",
        "CC-BY-4.0",
        f"{CC}/licenses/by/4.0/",
        "https://example.org/1",
        "https://example.org/anna",
    )
    assert line == (
        "\"A 'red' panda\" by Anna (https://example.org/anna), "
        "Creative Commons Attribution 4.0 International "
        "(https://creativecommons.org/licenses/by/4.0/), from https://example.org/1"
    )


def test_an_attribution_line_leaves_out_what_is_not_known() -> None:
    assert attribution_line("", "", "unknown", "", "") == "Untitled, licence unknown"
    reserved = attribution_line("Dog", "", "all-rights-reserved", "", "javascript:alert(1)")
    assert reserved == '"Dog", all rights reserved'


@given(st.text(), st.text(), st.text(), st.text())
def test_an_attribution_is_always_one_line(a: str, b: str, c: str, d: str) -> None:
    line = attribution_line(a, b, "CC-BY-4.0", c, f"https://example.org/{d}", c)
    assert len(line.splitlines()) == 1
