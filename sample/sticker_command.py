"""`python -m sample stickers DIR`: what is new among drawn pictures, ready to be used."""

import argparse
import json
from pathlib import Path
from typing import get_args

from dataset.command_line import CommandLine
from dataset.config import to_mapping
from sample import stickers
from sample.enlarging import EnlargeConfig
from sample.sticker import Enlargement, GroundChoice, StickerConfig
from sample.sticker_choice import chosen_pictures
from train.checkpoint import load_checkpoint

_MOST_REASONS = 10  # why pictures are left out, told on the terminal


def add_verb(command: CommandLine) -> None:
    verb = command.verb(
        "stickers",
        _stickers,
        "make stickers, SVGs and favicons of the pictures that were found to be new",
        """python -m sample stickers runs/icon/samples
        python -m sample stickers runs/icon/samples --out logos --outline 16 --size 512 --size 96
        python -m sample stickers runs/icon/samples --with runs/upscale --ground holes
        python -m sample stickers pictures/ --any --no-icons --json""",
    )
    usual = StickerConfig()
    verb.add_argument("folder", type=Path, metavar="DIR", help="a folder of drawn pictures")
    verb.add_argument("--out", type=Path, metavar="DIR", help="where to (default: DIR/stickers)")
    verb.add_argument(
        "--any",
        dest="everything",
        action="store_true",
        help="of all pictures, not only of those that the novelty check called novel",
    )
    verb.add_argument(
        "--with",
        dest="checkpoint",
        type=Path,
        metavar="RUN",
        help="enlarge with this run or checkpoint first (one with upscale.from_size)",
    )
    verb.add_argument(
        "--enlarge",
        choices=list(get_args(Enlargement)),
        default=usual.enlarge,
        help="flat: as few colours with sharp edges; lanczos: smoothly; auto: flat where it fits",
    )
    verb.add_argument(
        "--ground",
        choices=list(get_args(GroundChoice)),
        default=usual.ground,
        help="auto: removed where it is flat; holes: also where the drawing encloses it; keep",
    )
    verb.add_argument(
        "--size",
        dest="sizes",
        type=int,
        action="append",
        metavar="PIXELS",
        help=f"of a PNG; may be repeated ({', '.join(map(str, usual.sizes))})",
    )
    verb.add_argument(
        "--margin", type=float, default=usual.margin, help=f"share of the side ({usual.margin})"
    )
    verb.add_argument(
        "--outline", type=int, default=usual.outline, help="a white edge, pixels of 512 (none)"
    )
    verb.add_argument("--no-svg", dest="svg", action="store_false", help="leave the paths out")
    verb.add_argument("--no-icons", dest="icons", action="store_false", help="leave favicons out")
    verb.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto", help="of --with")
    verb.add_argument("--replace", action="store_true", help="remove stickers made otherwise")
    verb.add_argument("--dry-run", action="store_true", help="say what would be made, and stop")
    verb.add_argument("--json", action="store_true", help="print stickers.json's content")


def _stickers(options: argparse.Namespace) -> int:
    names = ("ground", "enlarge", "margin", "outline", "svg", "icons")
    given = {name: getattr(options, name) for name in names}
    if options.sizes:
        given["sizes"] = tuple(sorted(set(options.sizes), reverse=True))
    config = StickerConfig(**given)
    out = options.out or stickers.default_folder(options.folder)
    if options.dry_run:
        chosen, left_out = chosen_pictures(options.folder, everything=options.everything)
        print(json.dumps(to_mapping(config), indent=2))
        print(f"would make {len(chosen)} stickers in {out} and leave {len(left_out)} pictures out")
        return 0
    checkpoint = load_checkpoint(options.checkpoint) if options.checkpoint else None
    done = stickers.make_stickers(
        options.folder,
        out,
        config,
        checkpoint=checkpoint,
        enlarging_config=EnlargeConfig(device=options.device),
        everything=options.everything,
        replace=options.replace,
    )
    if options.json:
        print(json.dumps(done.record, indent=2, ensure_ascii=False))
    else:
        _print(done)
    return 0


def _print(done: stickers.Stickers) -> None:
    entries = done.record["stickers"]
    if not entries:
        print("no stickers: no picture is left to make one of")
    elif done.made:
        print(f"{done.made} of {len(entries)} stickers made in {done.folder} (see sheet.png)")
    else:
        print(f"{len(entries)} stickers are already made in {done.folder}")
    told = done.left_out.most_common(_MOST_REASONS)
    for why, count in told:
        print(f"{count:7} left out: {why}")
    if rest := done.left_out.total() - sum(count for _, count in told):
        print(f"{rest:7} left out for other reasons; stickers.json tells them")
    kept = [entry["ground"]["why"] for entry in entries if not entry["ground"]["removed"]]
    if kept:
        print(f"{len(kept):7} with their ground, such as: {kept[0]}")
    traced = sorted(entry["svg"]["off"] for entry in entries if entry["svg"])
    if traced:
        middle, worst = traced[len(traced) // 2], traced[-1]
        print(f"SVG: {middle:.2%} of the pixels drawn otherwise (median), {worst:.2%} at worst")
