"""Entry of `python -m curate_app`."""

import os
import sys

# Read when numpy is loaded: its threads get into each other's way on small matrices, the more so
# beside the threads of the app.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

if __name__ == "__main__":  # worker processes import this module again
    try:
        from curate_app.cli import main

        code = main()
    except KeyboardInterrupt:  # while the libraries were loaded
        print("error: interrupted; run the same command again to go on", file=sys.stderr)
        code = 130
    raise SystemExit(code)
