"""`python -m curate_app`: the judging app and its headless rule; see `--help`."""

import sys

from curate_app.cli import main

sys.exit(main())
