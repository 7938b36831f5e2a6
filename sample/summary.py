"""The closing summary: what every stage left behind, read from the artefacts on the disk.

A part that is missing is said to be missing; it is not an error.
"""

import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dataset.catalog import Catalog
from dataset.duplicates import duplicate_groups
from dataset.errors import PipelineError
from dataset.packed import PackedDataset
from dataset.provenance import SPLITS
from dataset.workspace import Workspace
from sample.inspection import Inspection, read_record
from sample.pictures import manifest_of
from train.checkpoint import checkpoint_folders
from train.run_folder import RunFolder

_MOST_NAMED = 9  # listed by name; the rest is counted


@dataclass(frozen=True)
class Part:
    """One stage's share of the summary: a name and a few lines; `found` is False if missing."""

    name: str
    lines: list[str]
    found: bool = True


def summarise(data: Path, run: Path, samples: Path | None = None) -> list[Part]:
    """The parts of the summary in the order of the stages; `samples` is RUN/samples if None."""
    folder = samples or run / "samples"
    parts = _catalogue_parts(Workspace(data))
    parts.append(_part("packed", lambda: _packed(Workspace(data), run)))
    return [*parts, _trained(run), _drawn(folder), *_checked(folder)]


def render(parts: list[Part]) -> str:
    """The parts as aligned text, one block each."""
    width = max(len(part.name) for part in parts) + 2
    lines = []
    for part in parts:
        for place, line in enumerate(part.lines):
            lines.append(f"{part.name if place == 0 else '':<{width}}{line}".rstrip())
    return "\n".join(lines)


def to_json(parts: list[Part]) -> str:
    """The parts as JSON, for a program."""
    return json.dumps([asdict(part) for part in parts], indent=2, ensure_ascii=False)


def _part(name: str, lines: Callable[[], list[str]]) -> Part:
    """The part, or the one line why it cannot be told."""
    try:
        return Part(name, lines())
    except PipelineError as error:
        return _missing(name, str(error))


def _missing(name: str, why: str) -> Part:
    return Part(name, [f"missing: {why}"], found=False)


def _catalogue_parts(workspace: Workspace) -> list[Part]:
    names = ("collected", "addresses", "rejected", "duplicates", "kept")
    if not workspace.catalog.is_file():
        return [_missing(names[0], f"no catalogue at {workspace.catalog}")]
    try:
        with Catalog(workspace.catalog, create=False) as catalog:
            tell = (_collected, _addresses, _rejected, _duplicates, _kept)
            return [Part(name, lines(catalog)) for name, lines in zip(names, tell, strict=True)]
    except PipelineError as error:
        return [_missing(names[0], str(error))]


def _collected(catalog: Catalog) -> list[str]:
    total = f"{_count(catalog.images.count(), 'distinct picture')}"
    return [f"{total}: {_listed(catalog.images.counts('source'))}"]


def _addresses(catalog: Catalog) -> list[str]:
    """What came of every address that was asked for, with the reasons."""
    states: dict[str, Counter[str]] = {}
    for (state, reason), count in catalog.ledger.counts().items():
        states.setdefault(state, Counter())[reason] += count
    lines = []
    for name, reasons in states.items():
        named = {reason: count for reason, count in reasons.items() if reason}
        why = f": {_listed(named)}" if named and name != "fetched" else ""
        lines.append(f"{reasons.total()} {name}{why}")
    return lines or ["none was asked for"]


def _rejected(catalog: Catalog) -> list[str]:
    counts = catalog.images.counts("status")
    reasons: Counter[str] = Counter()
    for record in catalog.images.all():
        if record.status == "reject":
            # "duplicate of #12" is one reason, whichever picture it names.
            reasons[record.reason.split(" of #")[0] or "by hand"] += 1
    why = f": {_listed(reasons)}" if reasons else ""
    return [f"{_count(counts.get('reject', 0), 'picture')}{why}"]


def _duplicates(catalog: Catalog) -> list[str]:
    pairs, still = len(catalog.edges.all()), len(duplicate_groups(catalog))
    return [f"{_count(pairs, 'pair')} that look alike, {_count(still, 'group')} still to decide"]


def _kept(catalog: Catalog) -> list[str]:
    kept = {
        label or "(no class)": count
        for (label, status), count in sorted(catalog.images.class_balance().items())
        if status == "keep"
    }
    undecided = catalog.images.counts("status").get("undecided", 0)
    open_ = f"; {undecided} undecided" if undecided else ""
    return [f"{_count(sum(kept.values()), 'picture')}{open_}", _listed(kept)]


def _packed(workspace: Workspace, run: Path) -> list[str]:
    pack = PackedDataset(_pack_path(workspace, run))
    splits: dict[str, int] = {split: len(pack.rows(split)) for split in SPLITS}
    size = f"{pack.width}x{pack.height} px"
    return [f"{_count(len(pack), 'picture')} of {size}: {_listed(splits)}", str(pack.path)]


def _pack_path(workspace: Workspace, run: Path) -> Path:
    """The pack that the run learnt from, else the default one."""
    config = _read_json(run / "config.json") or {}
    return Path(config["pack"]) if config.get("pack") else workspace.pack("main")


def _trained(run: Path) -> Part:
    stats = RunFolder(run.parent, run.name).read_stats()
    if not stats:
        return _missing("trained", f"no figures in {run / 'stats.jsonl'}")
    losses = [line["loss"] for line in stats if line.get("loss") is not None]
    rates = sorted(float(line["images_per_s"]) for line in stats if line.get("images_per_s"))
    said = [f"{stats[-1]['images']:,} images seen"]
    if losses:
        said.append(f"loss {losses[0]:.4f} -> {losses[-1]:.4f}")
    if rates:
        said.append(f"{rates[len(rates) // 2]:,.0f} images/s")
    checkpoints = checkpoint_folders(run)
    newest = str(checkpoints[-1]) if checkpoints else "no checkpoint"
    return Part("trained", [", ".join(said), newest])


def _drawn(folder: Path) -> Part:
    manifest = manifest_of(folder)
    if not manifest:
        return _missing("drawn", f"no drawing in {folder}")
    how = [str(manifest.get("sampler"))]  # all that is said of an autoencoder's
    if "steps" in manifest:
        how += [f"{manifest['steps']} steps", f"guidance {manifest.get('guidance')}"]
    listed = manifest.get("pictures")
    number = _count(len(listed) if isinstance(listed, list) else 0, "picture")
    return Part("drawn", [f"{number} ({', '.join(how)})"])


def _checked(folder: Path) -> list[Part]:
    record = read_record(folder)
    if record is None:
        return [_missing("checked", f"no novelty check in {folder}")]
    inspection = Inspection(folder, record, fresh=False)
    report = inspection.report.resolve()
    return [
        Part("checked", [_listed(inspection.counts), share_line(record), *audit_lines(record)]),
        Part("report", [str(report), report.as_uri()]),
    ]


def share_line(record: Mapping[str, Any]) -> str:
    """How many per cent of the pictures are copies, as far as can be told."""
    share = record["share"]
    if share["rate"] is None:
        if not share["judged"]:
            return "copies: their share cannot be estimated, as no picture could be put to the test"
        return f"copies: their share of the {share['judged']} pictures cannot be estimated"
    low, high = share["interval"]
    return (
        f"copies: an estimated {share['rate']:.1%} of {share['judged']} judged pictures"
        f" [{low:.1%}-{high:.1%}]"
    )


def audit_lines(record: Mapping[str, Any]) -> list[str]:
    """How far the check itself can be trusted, in two lines, from the content of novelty.json."""
    lines = []
    for name, row in (
        ("planted copies", record["audit"]["all_planted"]),
        ("new real pictures", record["audit"]["new"]),
    ):
        if not row["trials"]:
            lines.append(f"audit: no {name} to test with")
            continue
        copies, flagged = (_rate(row, key) for key in ("copies", "flagged"))
        lines.append(f"audit: of {row['trials']} {name} {copies} called copy, {flagged} close+")
    return lines


def _rate(row: Mapping[str, Any], key: str) -> str:
    low, high = row["copy_interval" if key == "copies" else "flagged_interval"]
    return f"{row[key] / row['trials']:.1%} [{low:.1%}-{high:.1%}]"


def _listed(counts: Mapping[str, int]) -> str:
    shown = list(counts.items())[:_MOST_NAMED]
    rest = len(counts) - len(shown)
    text = ", ".join(f"{name} {count}" for name, count in shown) or "none"
    return f"{text} and {rest} more" if rest > 0 else text


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _read_json(path: Path) -> dict[str, Any] | None:
    try:
        content = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None
