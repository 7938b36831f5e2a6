"""The quality cuts as pages use them: read anew when their file changes, and never a reason for a
page to fail."""

import math

from curate_app.desk import catalog, desk, held, one_line, written
from dataset.errors import ConfigError
from dataset.issues import Standard, standard_of
from dataset.quality import CUTS_FILE, QualityCuts, read_cuts


def standard() -> tuple[Standard, str]:
    """The standard by the cuts of the data folder and ""; where they are broken, the presets' own
    and what to edit. Which preset suits is asked again when the catalogue has grown by a tenth."""

    def read() -> tuple[Standard, str]:
        try:
            return standard_of(catalog(), read_cuts(desk().data)), ""
        except ConfigError as error:
            plain = standard_of(catalog(), QualityCuts())
            line = one_line(error)
            return plain, f"{line}. Edit the file; until then the presets' own cuts hold."

    grown = math.floor(math.log(catalog().columns.marks().picture + 1, 1.1))
    remembered = catalog().settings.last_id()  # the cuts that were remembered are settings
    return held("standard", (written(desk().data / CUTS_FILE), remembered, grown), read)
