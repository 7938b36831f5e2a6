"""Entry of `python -m dataset`."""

import sys

from dataset.cli import main

if __name__ == "__main__":
    sys.exit(main())
