"""Entry of `python -m train`."""

import sys

if __name__ == "__main__":  # worker processes import this module again
    try:
        from train.cli import main

        code = main()
    except KeyboardInterrupt:  # while the libraries were loaded
        print("error: interrupted; run the same command again to go on", file=sys.stderr)
        code = 130
    raise SystemExit(code)
