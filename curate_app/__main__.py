"""Entry of `python -m curate_app`."""

from curate_app.cli import main

if __name__ == "__main__":  # worker processes import this module again
    raise SystemExit(main())
