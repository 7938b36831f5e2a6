"""Entry of `python -m dataset`."""

from dataset.cli import main

if __name__ == "__main__":  # worker processes import this module again
    raise SystemExit(main())
