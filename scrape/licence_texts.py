"""The licences beside the six of Creative Commons: names for people, addresses, other spellings."""

from dataclasses import dataclass

UNKNOWN = "unknown"
ALL_RIGHTS_RESERVED = "all-rights-reserved"
NO_KNOWN_COPYRIGHT = "no-known-copyright"
GOVERNMENT_WORK = "us-government-work"

_CC = "https://creativecommons.org"


@dataclass(frozen=True)
class LicenceText:
    """A licence that is not one of the six of Creative Commons: how it is named and found.

    `spellings` are other names, `links` further addresses that mean it, without their schemes.
    """

    name: str
    url: str = ""
    spellings: tuple[str, ...] = ()
    links: tuple[str, ...] = ()


def _gnu() -> dict[str, LicenceText]:
    """The GNU licences, each alone and with the permission to use any later version."""
    texts = {}
    for code, file, name, number in (
        ("GFDL", "old-licenses/fdl", "GNU Free Documentation License", "1.1"),
        ("GFDL", "old-licenses/fdl", "GNU Free Documentation License", "1.2"),
        ("GFDL", "fdl", "GNU Free Documentation License", "1.3"),
        ("GPL", "old-licenses/gpl", "GNU General Public License", "2.0"),
        ("GPL", "gpl", "GNU General Public License", "3.0"),
        ("LGPL", "old-licenses/lgpl", "GNU Lesser General Public License", "2.1"),
        ("LGPL", "lgpl", "GNU Lesser General Public License", "3.0"),
        ("AGPL", "agpl", "GNU Affero General Public License", "3.0"),
    ):
        url = f"https://www.gnu.org/licenses/{file}-{number}.html"
        short = number.removesuffix(".0")
        for suffix, later in (("only", ""), ("or-later", " or later")):
            written = (f"{code} {n}{later}" for n in (number, short))
            joined = (f"{code}v{n}{later}" for n in (number, short))
            spellings = tuple(dict.fromkeys((*written, *joined)))
            texts[f"{code}-{number}-{suffix}"] = LicenceText(
                f"{name} {number}{later}", url, spellings
            )
    return texts


TEXTS: dict[str, LicenceText] = {
    "CC0-1.0": LicenceText(
        "CC0 1.0 Universal Public Domain Dedication",
        f"{_CC}/publicdomain/zero/1.0/",
        links=("creativecommons.org/publicdomain/zero",),
    ),
    "PDM-1.0": LicenceText(
        "Public Domain Mark 1.0",
        f"{_CC}/publicdomain/mark/1.0/",
        links=(
            "creativecommons.org/publicdomain/mark",
            "creativecommons.org/licenses/publicdomain",
        ),
    ),
    "PDDL-1.0": LicenceText(
        "Open Data Commons Public Domain Dedication and License 1.0",
        "https://opendatacommons.org/licenses/pddl/1-0/",
        ("pddl",),
    ),
    NO_KNOWN_COPYRIGHT: LicenceText(
        "No known copyright restrictions",
        "https://rightsstatements.org/vocab/NKC/1.0/",
        ("no restrictions", "no known restrictions", "no known restrictions on publication"),
        ("flickr.com/commons/usage", "rightsstatements.org/vocab/nkc"),
    ),
    GOVERNMENT_WORK: LicenceText(
        "United States Government Work",
        "https://www.usa.gov/government-copyright",
        ("us government work", "u.s. government work", "pd-usgov"),
        ("usa.gov/government-copyright", "usa.gov/copyright", "usa.gov/government-works"),
    ),
    "copyrighted-free-use": LicenceText("Copyrighted free use"),
    "attribution": LicenceText("Attribution only license", "", ("attribution", "attribution only")),
    "CC-SA-1.0": LicenceText(
        "Creative Commons ShareAlike 1.0 Generic",
        f"{_CC}/licenses/sa/1.0/",
        links=("creativecommons.org/licenses/sa/1.0",),
    ),
    **_gnu(),
    "LAL-1.2": LicenceText(
        "Licence Art Libre 1.2",
        "https://artlibre.org/licence/lal/licence-art-libre-12/",
        ("fal 1.2", "free art license 1.2"),
    ),
    "LAL-1.3": LicenceText(
        "Licence Art Libre 1.3",
        "https://artlibre.org/licence/lal/en/",
        ("fal", "fal 1.3", "lal", "free art license", "free art license 1.3", "licence art libre"),
        ("artlibre.org",),
    ),
    "OGL-UK-1.0": LicenceText(
        "Open Government Licence 1.0",
        "https://www.nationalarchives.gov.uk/doc/open-government-licence/version/1/",
        ("ogl", "ogl 1", "ogl 1.0", "open government licence v1.0"),
        ("nationalarchives.gov.uk/doc/open-government-licence/version/1",),
    ),
    "OGL-UK-2.0": LicenceText(
        "Open Government Licence 2.0",
        "https://www.nationalarchives.gov.uk/doc/open-government-licence/version/2/",
        ("ogl 2", "ogl 2.0", "open government licence v2.0"),
        ("nationalarchives.gov.uk/doc/open-government-licence/version/2",),
    ),
    "OGL-UK-3.0": LicenceText(
        "Open Government Licence 3.0",
        "https://www.nationalarchives.gov.uk/doc/open-government-licence/version/3/",
        ("ogl 3", "ogl 3.0", "open government licence v3.0"),
        ("nationalarchives.gov.uk/doc/open-government-licence/version/3",),
    ),
    "etalab-2.0": LicenceText(
        "Licence Ouverte 2.0",
        "https://www.etalab.gouv.fr/licence-ouverte-open-licence/",
        ("licence ouverte", "open licence 2.0"),
        ("etalab.gouv.fr/licence-ouverte",),
    ),
    "DL-DE-BY-2.0": LicenceText(
        "Datenlizenz Deutschland Namensnennung 2.0",
        "https://www.govdata.de/dl-de/by-2-0",
        links=("govdata.de/dl-de/by-2-0",),
    ),
    "DL-DE-ZERO-2.0": LicenceText(
        "Datenlizenz Deutschland Zero 2.0",
        "https://www.govdata.de/dl-de/zero-2-0",
        links=("govdata.de/dl-de/zero-2-0",),
    ),
    "MIT": LicenceText(
        "MIT License",
        "https://opensource.org/license/mit",
        ("expat",),
        ("opensource.org/licenses/mit", "opensource.org/license/mit"),
    ),
    "Apache-2.0": LicenceText(
        "Apache License 2.0",
        "https://www.apache.org/licenses/LICENSE-2.0",
        links=("apache.org/licenses/license-2.0",),
    ),
    "BSD-2-Clause": LicenceText(
        "BSD 2-Clause License", "https://opensource.org/license/bsd-2-clause"
    ),
    "BSD-3-Clause": LicenceText(
        "BSD 3-Clause License", "https://opensource.org/license/bsd-3-clause"
    ),
    "OFL-1.1": LicenceText(
        "SIL Open Font License 1.1",
        "https://openfontlicense.org",
        ("ofl", "open font license"),
        ("openfontlicense.org", "scripts.sil.org/ofl"),
    ),
    "ISC": LicenceText("ISC License", "https://opensource.org/license/isc-license-txt"),
    "Unlicense": LicenceText("The Unlicense", "https://unlicense.org", links=("unlicense.org",)),
    "WTFPL": LicenceText(
        "Do What The F*ck You Want To Public License", "http://www.wtfpl.net/about/"
    ),
    ALL_RIGHTS_RESERVED: LicenceText(
        "All rights reserved",
        "",
        ("copyright", "copyrighted", "in copyright"),
        ("rightsstatements.org/vocab/inc/",),
    ),
    UNKNOWN: LicenceText("Unknown licence"),
}
