"""The options of a command that say how is drawn: sampler, levels, guidance; from what; and what
is shown of it."""

import argparse
import math
from dataclasses import fields
from pathlib import Path
from typing import get_args

from dataset.errors import ConfigError
from sample.denoising_path import PathConfig, Shows
from sample.picture_sheet import SheetConfig, Style
from sample.starting_point import Start
from train.drawing import Sampling
from train.guidance import Guidance
from train.samplers import OPTIONS_OF, SAMPLERS, SolverOptions
from train.spacing import SPACINGS


def add_sampling_options(parser: argparse.ArgumentParser, usual: Sampling) -> None:
    """`usual` gives the defaults."""
    group = parser.add_argument_group("how is drawn")
    group.add_argument(
        "--sampler",
        choices=list(SAMPLERS),
        default=usual.sampler,
        help=f"the method ({usual.sampler})",
    )
    group.add_argument(
        "--steps",
        type=int,
        default=usual.steps,
        help=f"each calls the model once, of heun twice ({usual.steps})",
    )
    group.add_argument(
        "--spacing",
        choices=["auto", *SPACINGS],
        default=usual.spacing,
        help="of the noise levels; auto: the sampler's usual",
    )
    group.add_argument("--eta", type=float, help="fresh noise of ddim (0) and dpm++2m-sde (1)")
    _add_number(group, "--churn", usual.options.churn, "of heun: noise put back on the way")
    _add_range(group, "--churn-between", "sigmas between which there is churn (all)")
    _add_number(group, "--churn-noise", usual.options.churn_noise, "its standard deviation")
    group.add_argument(
        "--order",
        type=int,
        choices=[1, 2, 3],
        default=usual.options.order,
        help=f"of unipc ({usual.options.order})",
    )
    _add_guidance(group, usual.guidance)
    group.add_argument(
        "--precision",
        choices=["auto", "float32", "bfloat16"],
        default=usual.precision,
        help="auto: bfloat16 on a GPU",
    )


def sampling_of(options: argparse.Namespace) -> Sampling:
    """What was chosen; raises ConfigError for what is out of range, or what the sampler ignores."""
    churn_from, churn_to = options.churn_between or (0.0, None)
    sigma_from, sigma_to = options.guidance_between or (0.0, None)
    churn_to, sigma_to = (None if end == math.inf else end for end in (churn_to, sigma_to))
    solver = SolverOptions(
        eta=options.eta,
        churn=options.churn,
        churn_from=churn_from,
        churn_to=churn_to,
        churn_noise=options.churn_noise,
        order=options.order,
    )
    _check_heard(options.sampler, solver)
    return Sampling(
        sampler=options.sampler,
        steps=options.steps,
        spacing=options.spacing,
        options=solver,
        guidance=Guidance(
            scale=options.guidance,
            sigma_from=sigma_from,
            sigma_to=sigma_to,
            rescale=options.rescale,
            orthogonal=options.orthogonal,
        ),
        precision=options.precision,
    )


def _check_heard(sampler: str, given: SolverOptions) -> None:
    """Raise ConfigError for an option that was given and that `sampler` takes no notice of."""
    for option in fields(SolverOptions):
        changed = getattr(given, option.name) != option.default
        if changed and option.name not in OPTIONS_OF.get(sampler, ()):
            hearing = [name for name, options in OPTIONS_OF.items() if option.name in options]
            raise ConfigError(
                f"{option.name} is of sampler {' and '.join(hearing)}, and {sampler} takes no"
                " notice of it; leave it out, or choose another --sampler"
            )


def add_start_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("what is started from, if not from noise alone")
    group.add_argument(
        "--from", dest="picture", type=Path, metavar="FILE", help="a picture, to be drawn anew"
    )
    group.add_argument("--strength", type=float, help="of --from: share of the steps done (0.6)")
    group.add_argument(
        "--mask",
        type=Path,
        metavar="FILE",
        help="black where the picture is kept; the rest is drawn",
    )
    group.add_argument(
        "--rounds", type=int, default=1, help="of filling in; more fit the parts together (1)"
    )
    group.add_argument(
        "--towards", type=int, metavar="SEED", help="go from --seed to this one, class by class"
    )


def start_of(options: argparse.Namespace) -> Start:
    """What was chosen; raises ConfigError for what does not go together."""
    names = ("picture", "strength", "mask", "rounds", "towards")
    return Start(**{name: getattr(options, name) for name in names})


def add_picture_options(parser: argparse.ArgumentParser, *, path: bool = False) -> None:
    """What is shown of a drawing: its sheet and, with `path`, the way from noise."""
    group = parser.add_argument_group("what is shown of it")
    usual, way = SheetConfig(), PathConfig()
    group.add_argument(
        "--sheet",
        choices=list(get_args(Style)),
        default=usual.style,
        help="sheet.png: rows under their class's name, the seeds as well, or a plain grid"
        f" ({usual.style})",
    )
    group.add_argument("--columns", type=int, default=usual.columns, help="of the sheet (12)")
    if not path:
        return
    group.add_argument(
        "--path",
        choices=["gif", "webp"],
        default=way.kind,
        help="an animation of each picture's way from noise into DIR/paths, and a sheet of them",
    )
    group.add_argument(
        "--path-shows",
        choices=list(get_args(Shows)),
        default=way.shows,
        help="the picture with the noise that is left, or what the model takes it for"
        f" ({way.shows})",
    )
    group.add_argument(
        "--frames", type=int, default=way.frames, help=f"of an animation, at most ({way.frames})"
    )


def sheet_of(options: argparse.Namespace) -> SheetConfig:
    """What was chosen; raises ConfigError for what is out of range."""
    return SheetConfig(style=options.sheet, columns=options.columns)


def path_of(options: argparse.Namespace) -> PathConfig:
    """What was chosen; raises ConfigError for what is out of range."""
    return PathConfig(kind=options.path, shows=options.path_shows, frames=options.frames)


def _add_guidance(group: argparse._ArgumentGroup, usual: Guidance) -> None:
    _add_number(group, "--guidance", usual.scale, "insistence on the class; 1: as learnt")
    _add_range(group, "--guidance-between", "sigmas between which is guided (all)")
    _add_number(group, "--rescale", usual.rescale, "of guidance: contrast brought back, 0 to 1")
    group.add_argument(
        "--orthogonal",
        action="store_true",
        default=usual.orthogonal,
        help="guide only across the picture, which keeps colours from burning out",
    )


def _add_number(group: argparse._ArgumentGroup, name: str, usual: float, words: str) -> None:
    group.add_argument(name, type=float, default=usual, help=f"{words} ({usual:g})")


def _add_range(group: argparse._ArgumentGroup, name: str, words: str) -> None:
    group.add_argument(name, type=float, nargs=2, metavar=("LOW", "HIGH"), help=words)
