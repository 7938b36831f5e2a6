"""`python -m scrape VERB`: hands over to the command line of this stage."""

from scrape.cli import main

raise SystemExit(main())
