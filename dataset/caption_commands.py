"""`python -m dataset caption`: a model writes captions for pictures that have none."""

import argparse

from dataset.captioner import Captioner, find_model
from dataset.captioning import CaptionWish, caption_pictures, wanting
from dataset.catalog import Catalog
from dataset.command_line import CommandLine, add_data_option
from dataset.image_store import ImageStore
from dataset.records import STATUSES
from dataset.workspace import Workspace


def add_verbs(command: CommandLine) -> None:
    """The verb that writes captions."""
    verb = command.verb(
        "caption",
        _caption,
        "let a model write captions for pictures that have none (weights: safetensors only)",
        """python -m dataset caption --data data --model Salesforce/blip-image-captioning-large
        python -m dataset caption --model models/vit-gpt2 --status keep --label dog --limit 100
        python -m dataset caption --model models/blip --prompt "a logo of" --all --dry-run""",
    )
    verb.add_argument(
        "--model",
        required=True,
        metavar="FOLDER|NAME",
        help="a folder with config.json and *.safetensors, or a name in the Hugging Face hub "
        "(downloaded once); pickled weights and code that comes with a model are never loaded",
    )
    verb.add_argument("--revision", metavar="REV", help="branch, tag or commit of a hub model")
    verb.add_argument(
        "--all",
        action="store_true",
        help="pictures with other captions, too; theirs stay (default: those with no caption)",
    )
    verb.add_argument("--status", choices=STATUSES, help="only these (default: all but rejected)")
    verb.add_argument("--label", help="only pictures of this label")
    verb.add_argument("--limit", type=int, metavar="N", help="at most N pictures")
    verb.add_argument("--batch", type=int, default=8, metavar="N", help="pictures at once (8)")
    verb.add_argument("--prompt", default="", help="how the captions begin (blip and git models)")
    verb.add_argument("--max-tokens", type=int, default=32, metavar="N", help="longest text (32)")
    verb.add_argument(
        "--device",
        choices=["auto", "cpu", "cuda"],
        default="auto",
        help="where the model runs (auto: the GPU if there is one)",
    )
    verb.add_argument("--dry-run", action="store_true", help="count the pictures, and stop")
    add_data_option(verb)


def _caption(options: argparse.Namespace) -> None:
    wish = CaptionWish(
        every=options.all,
        status=options.status,
        label=options.label,
        limit=options.limit,
        batch=options.batch,
    )
    workspace = Workspace(options.data)
    with Catalog(workspace.require_catalog()) as catalog:
        model = find_model(options.model, options.revision)
        origin = model.origin(options.prompt)
        count = sum(1 for _ in wanting(catalog, wish, origin))
        if options.dry_run or not count:
            print(f"{count} pictures want a caption of {origin}")
            return
        captioner = Captioner(
            model, prompt=options.prompt, max_tokens=options.max_tokens, device=options.device
        )
        store = ImageStore(workspace.images)
        report = caption_pictures(catalog, store, captioner, wish)
    print(f"wrote {report.written} captions of {origin}, skipped {report.skipped.total()}")
    for reason, count in sorted(report.skipped.items()):
        print(f"  {count:6} {reason}")
