"""What a person did, in words: the verbs that batches carry, as messages name them."""

from collections.abc import Sequence

from curate_app.shortfall import TARGET
from dataset.issues import CUT_SETTING

_WORDS = {
    "accept": "the filling of a class",
    "auto": "the automatic judgement",
    "best-of-four": "the vote on four",
    "caption": "the caption",
    "cut": "the cut",
    "different": "“not duplicates”",
    "keep-all": "“keep all”",
    "keep-best": "the keeping of one",
    "keep-top": "“keep the top”",
    "label": "the class",
    "mark": "a verdict on pairs",
    "merge": "what was merged in",
    "reject-repeats": "the rejection of duplicates",
    "remember-cut": "the remembered cut",
    "rename": "the move to another class",
    "same": "“duplicates”",
    "stars": "the stars",
    "take-apart": "the taking apart",
    "target": "the target",
    "unsure": "“not sure”",
    "vote": "the vote",
}


def deed(verb: str) -> str:
    """The verb of a batch as a person calls it; one that has no other name is called by itself."""
    return _WORDS.get(verb, verb)


def named_settings(names: Sequence[str]) -> str:
    """The settings as a message names them: by their class or score, or by their number."""
    if len(names) > 1:
        return f"{len(names):,} settings"
    [name] = names
    if name.startswith(TARGET):
        return name.removeprefix(TARGET) or "the pictures without a class"
    return name.removeprefix(CUT_SETTING)
