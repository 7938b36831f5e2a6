"""How a config value is refused: one line that names the key, the value and what it must be."""

from dataset.errors import ConfigError


def require(holds: bool, key: str, value: object, must: str) -> None:
    """Raise ConfigError unless `holds`."""
    if not holds:
        shown = list(value) if isinstance(value, tuple) else value
        raise ConfigError(f"{key} is {shown!r}; it must be {must}")
