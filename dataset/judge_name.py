"""The name that a judgement carries: who judged."""

from dataset.errors import ConfigError

_LONGEST = 40
# What judges without a person signs with these.
_TAKEN = {
    "auto": "the headless rule",
    "duplicates": "the mark of duplicates",
    "merge": "what was judged in another catalogue",
}


def judge_name(who: str) -> str:
    """`who` as events carry it; raises ConfigError for what would mislead a reader."""
    name = " ".join(who.split())
    if not name or len(name) > _LONGEST or not name.isprintable():
        raise ConfigError(f"--who {who!r} is no name; give 1 to {_LONGEST} printable letters")
    if name in _TAKEN:
        raise ConfigError(f"--who {name} is the name of {_TAKEN[name]}; choose another")
    return name
