"""What every command shares: the parser's grammar, exit codes, the log, Ctrl-C and full disks.

A stage's cli.py builds verbs with `CommandLine`, and hands over to `run`.
"""

import argparse
import errno
import logging
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from dataset.config_keys import key_lines
from dataset.errors import ConfigError, PipelineError, WorldError
from dataset.progress import set_progress_mode
from dataset.wording import seen

log = logging.getLogger(__name__)

Handler = Callable[[argparse.Namespace], int | None]
INTERRUPTED = 130


class _Parser(argparse.ArgumentParser):
    """An argparse parser whose usage errors are one line and exit with 2."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}; see {self.prog} --help\n")


class CommandLine:
    """`python -m <stage> <verb> [args]`: every verb has one line of help and examples."""

    def __init__(self, stage: str, description: str) -> None:
        self.parser = _Parser(prog=f"python -m {stage}", description=description)
        self._verbs = self.parser.add_subparsers(dest="verb", metavar="VERB", required=True)
        self._verbs._parser_class = _Parser

    def verb(self, name: str, handler: Handler, summary: str, example: str) -> _Parser:
        """Add a verb; `example` is shown under its --help and is parsed by the tests."""
        parser = self._verbs.add_parser(
            name,
            help=summary,
            description=summary,
            epilog=f"examples:\n{_indent(example)}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        parser.set_defaults(handler=handler)
        parser.add_argument("--verbose", action="store_true", help="log every step to stderr")
        parser.add_argument(
            "--progress",
            choices=["auto", "json", "quiet"],
            default="auto",
            help="bar or log lines (auto), JSON lines for a program, or nothing",
        )
        assert isinstance(parser, _Parser)
        return parser

    def run(self, arguments: Sequence[str] | None = None) -> int:
        """Parse, run the verb's handler, and turn what a person can act on into an exit code."""
        options = self.parser.parse_args(arguments)
        set_progress_mode(options.progress)
        level = logging.DEBUG if options.verbose else logging.INFO
        logging.basicConfig(level=level, format="%(message)s", stream=sys.stderr)
        for noisy in ("PIL", "urllib3", "h5py", "waitress", "asyncio"):
            logging.getLogger(noisy).setLevel(logging.WARNING)
        _terminate_like_interrupt()
        try:
            return options.handler(options) or 0
        except PipelineError as error:
            return _fail(error.exit_code, str(error))
        except KeyboardInterrupt:
            return _fail(INTERRUPTED, "interrupted; run the same command again to go on")
        except BrokenPipeError:
            sys.stderr.close()
            return 0
        except OSError as error:
            world = explain_os_error(error)
            if world is None:
                raise
            return _fail(world.exit_code, str(world))


def add_config_options(
    parser: argparse.ArgumentParser, what: str, *, keys: type | None = None, dry_run: bool = True
) -> None:
    """Add --config, --set and --dry-run, spelled alike in every stage; what only reads has no
    --dry-run. The help lists the keys of the config `keys`."""
    if keys is not None:
        parser.add_argument_group("keys of --set and of FILE", "\n".join(key_lines(keys)))
    parser.add_argument("--config", type=Path, metavar="FILE", help=f"TOML file for {what}")
    parser.add_argument(
        "--set",
        dest="assignments",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="override one key of the config; may be repeated",
    )
    if dry_run:
        parser.add_argument(
            "--dry-run", action="store_true", help="say what would be done, and stop"
        )


def add_data_option(parser: argparse.ArgumentParser) -> None:
    """Add --data, the folder that holds the catalogue, the pictures and the packs."""
    parser.add_argument(
        "--data",
        type=Path,
        default=Path("data"),
        metavar="DIR",
        help="folder of the catalogue, the pictures and the packs (default: data)",
    )


def printable(text: str) -> str:
    """A text from the web as a terminal may show it: no control characters."""
    return text if text.isprintable() else ascii(text)


def explain_os_error(error: OSError) -> WorldError | ConfigError | None:
    """The one-line error for a failure of the disk or the network, or None if it is a bug."""
    where = f" ({error.filename})" if error.filename else ""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return WorldError(f"no space left on the disk{where}; free some and run the command again")
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return WorldError(f"not permitted to read or write{where}; check the file's owner")
    if error.errno in (errno.EFBIG, errno.EIO):
        return WorldError(f"{error.strerror}{where}; write to another disk, or see to this one")
    if error.errno == errno.EADDRINUSE:
        return WorldError("the port is in use; stop the other program or choose another --port")
    if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENAMETOOLONG):
        return ConfigError(f"{error.strerror}{where}; check the path")
    return None


def _terminate_like_interrupt() -> None:
    """Treat SIGTERM as Ctrl-C, so that a stopped job closes its files."""

    def interrupt(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    try:
        signal.signal(signal.SIGTERM, interrupt)
    except ValueError:  # not in the main thread (a test): the default stays
        log.debug("SIGTERM keeps its default outside the main thread")


def _fail(code: int, message: str) -> int:
    print(f"error: {seen(' '.join(message.split()))}", file=sys.stderr)
    return code


def _indent(text: str) -> str:
    return "\n".join(f"  {line.strip()}" for line in text.strip().splitlines())
