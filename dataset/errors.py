"""Every error that a person can meet, by whose fault it is; bugs are not wrapped.

PipelineError
 +-- ConfigError       2  the user's: a wrong option, key, type or path
 +-- DataError         3  the data's: a file or catalogue is not what it claims to be
 |    +-- PictureError 3  one picture cannot be used; carries a reason code
 +-- WorldError        4  the world's: no network, no space, a port in use
 +-- DisallowedError   5  a site's no: robots.txt, an opt-out, a refused address
"""


class PipelineError(Exception):
    """Something a person can act on: its message is one line: what, which, and what now."""

    exit_code = 1


class ConfigError(PipelineError):
    """The command, its configuration or a path given by the user is wrong."""

    exit_code = 2


class DataError(PipelineError):
    """A file, pack, checkpoint or catalogue is not what it claims to be."""

    exit_code = 3


class _Reasoned(PipelineError):
    """An error with a short code that is counted and kept; survives the way between processes."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason

    def __reduce__(self) -> tuple[type, tuple[str, str]]:
        return type(self), (self.reason, str(self))


class PictureError(_Reasoned, DataError):
    """One picture cannot be used; `reason` is a short code such as truncated or html."""


class WorldError(PipelineError):
    """The outside world failed: network, disk, port, memory, device."""

    exit_code = 4


class DisallowedError(_Reasoned):
    """A site said no, or the address must not be asked; `reason` is a short code."""

    exit_code = 5
