"""The recipe of a pack in words, from the config that it carries."""

from collections.abc import Mapping
from typing import Any

from dataset.markdown import code

_FITS = {
    "pad": "padded to a square",
    "crop": "cut to the square in its middle",
    "subject": "cut to the square around its subject",
    "stretch": "stretched to a square",
}
_BACKGROUNDS = {
    "auto": "white, or on black where it is too bright to be seen on white",
    "white": "white",
    "black": "black",
}
_CHANNELS = {"grey": "grey", "rgb": "RGB", "rgba": "RGB with alpha"}


def recipe(config: Mapping[str, Any], origin: Mapping[str, Any] | None = None) -> list[str]:
    """A list of steps; of a config that another program made, that nothing is known. `origin` is
    what a pack without a catalogue was imported from."""
    if not {"size", "fit", "resample"} <= set(config):
        return ["Nothing is known of it: the pack was not made from a catalogue."]
    size, fit = code(str(config["size"])), str(config["fit"])
    light = "linear light" if config.get("linear_light") else "the light of the files (sRGB)"
    steps = [
        f"Which pictures: {_chosen(config, origin is not None)}.",
        f"Decoded upright, colours brought to sRGB, {_transparency(config)}.",
        f"{_FITS.get(fit, code(fit)).capitalize()}, then {size} x {size} pixels by "
        f"{code(str(config['resample']))}, averaged in {light}.",
        f"Kept as {_CHANNELS.get(str(config.get('channels', 'rgb')), 'other channels')}, 8 bits.",
    ]
    sharpness = config.get("sharpness", 1.0)
    if sharpness != 1.0:
        steps.insert(3, f"Sharpness {code(str(sharpness))} (1 leaves it as it is).")
    return [f"{number}. {step}" for number, step in enumerate(steps, 1)]


def _transparency(config: Mapping[str, Any]) -> str:
    """What became of what one can see through."""
    if config.get("channels") == "rgba":
        return "what one can see through left so"
    background = str(config.get("background", "auto"))
    return f"what one can see through laid on {_BACKGROUNDS.get(background, code(background))}"


def _chosen(config: Mapping[str, Any], is_import: bool) -> str:
    """What the catalogue, or the file that was imported, was asked for."""
    said = [f"judged {_listed(config.get('statuses', ()))}"]
    if is_import:
        said = ["all of the file that can be decoded"]
    for key, words in (("labels", "of the classes"), ("licences", "with the licences")):
        if config.get(key):
            said.append(f"{words} {_listed(config[key])}")
    if config.get("per_class"):
        said.append(f"at most {code(str(config['per_class']))} a class, the best first")
    if config.get("min_per_class"):
        said.append(f"no class of fewer than {code(str(config['min_per_class']))}")
    if config.get("balance", "none") != "none":
        said.append("of each class as many as of the smallest")
    return ", ".join(said)


def _listed(values: Any) -> str:
    some = [code(str(value)) for value in list(values)[:20]] if isinstance(values, list) else []
    return ", ".join(some) or code(str(values))
