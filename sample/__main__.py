"""`python -m sample VERB`."""

from sample.cli import main

raise SystemExit(main())
