"""`python -m curate_app rank`: how a class stands after the votes, and its scores for others."""

import argparse
import json
from typing import Any

from curate_app.ranker import Ranker, Standing
from dataset.catalog import Catalog
from dataset.command_line import CommandLine, add_data_option, printable
from dataset.errors import ConfigError
from dataset.workspace import Workspace

_MARGIN = 1.96  # deviations to either side that hold 95 %


def add_verb(command: CommandLine) -> None:
    """The verb that ranks by the votes."""
    verb = command.verb(
        "rank",
        _rank,
        "print the best pictures by the votes, how sure that is, and store the scores",
        """python -m curate_app rank --data data
        python -m curate_app rank --label dog --top 100
        python -m curate_app rank --save --json""",
    )
    add_data_option(verb)
    verb.add_argument("--label", metavar="CLASS", help="only this class (default: all pictures)")
    verb.add_argument(
        "--top", type=int, metavar="K", help="how many are wanted (the class's target, or 10 %%)"
    )
    verb.add_argument("--save", action="store_true", help="store the scores of all classes")
    verb.add_argument("--dry-run", action="store_true", help="with --save: store nothing")
    verb.add_argument("--json", action="store_true", help="print as JSON")


def _rank(options: argparse.Namespace) -> None:
    if options.top is not None and options.top < 1:
        raise ConfigError(f"--top {options.top} is too few; choose 1 or more")
    saving = options.save and not options.dry_run
    ranker = Ranker(background=False)
    path = Workspace(options.data).require_catalog()
    with Catalog(path, create=False) as catalog:
        if options.label is not None:
            _require_label(catalog, options.label)
        standing = ranker.standing(catalog, options.label, options.top)
        saved = ranker.save(catalog) if saving else None
    if options.json:
        print(json.dumps({**_mapping(standing), "saved": saved}, ensure_ascii=False))
        return
    _print(standing)
    if saved is not None:
        print(f"stored the scores of {saved} pictures")
    elif options.save:
        print("a dry run: nothing was stored")


def _require_label(catalog: Catalog, label: str) -> None:
    known = sorted({name for name, _status in catalog.images.class_balance()})
    if label not in known:
        named = ", ".join(printable(name) or '""' for name in known[:10]) or "none"
        raise ConfigError(f"--label {label!r}: there is no such class; there are: {named}")


def _print(standing: Standing) -> None:
    if not standing.contenders:
        print("no pictures to rank: all are rejected, or none was collected yet")
        return
    print(f"{'place':>5} {'picture':>9} {'score':>7}   {'95 %':<6} {'votes':>6} {'in the top':>11}")
    for place in range(standing.k):
        margin = _MARGIN * standing.deviations[place]
        share = 100 * standing.probability[place]
        tied = "  tied" if standing.tied[place] else ""
        print(
            f"{place + 1:>5} {'#' + str(standing.ids[place]):>9} {standing.scores[place]:>+7.2f} "
            f"± {margin:<6.2f} {standing.vote_counts[place]:>6} {share:>9.0f} %{tied}"
        )
    print(
        f"{standing.votes} votes by {standing.people} on {standing.contenders} pictures; "
        f"{standing.fitted_votes} fitted, {standing.aside_votes} set aside"
    )
    held = standing.heldout
    if held.votes:
        print(
            f"foretells {100 * held.accuracy:.0f} % of {held.votes} votes set aside "
            f"({100 * held.low:.0f} to {100 * held.high:.0f} %)"
        )
    print(
        f"left-right bias {standing.left_bias:+.2f} ± {_MARGIN * standing.left_bias_deviation:.2f}"
    )
    wrong = f"{standing.expected_wrong:.1f} of the top {standing.k} expected to be wrong"
    print(f"settled: {wrong}" if standing.settled else f"not settled yet: {wrong}; vote on")


def _mapping(standing: Standing) -> dict[str, Any]:
    """The standing with the top list as rows."""
    columns = ("ids", "scores", "deviations", "vote_counts", "probability", "tied")
    rows = zip(*(getattr(standing, name)[: standing.k].tolist() for name in columns), strict=True)
    names = ("id", "score", "deviation", "votes", "probability", "tied")
    facts = [
        *("label", "k", "contenders", "votes", "fitted_votes", "aside_votes", "people"),
        *("expected_wrong", "settled", "left_bias", "left_bias_deviation"),
    ]
    held = standing.heldout
    return {
        **{name: getattr(standing, name) for name in facts},
        "heldout": {key: getattr(held, key) for key in ("accuracy", "low", "high", "votes")},
        "top": [dict(zip(names, row, strict=True)) for row in rows],
    }
