"""What every reason code of the ledger means, in a sentence, and what a person can do about it."""

import re

# code: (what happened, what to do; "" when there is nothing to be done)
REASONS: dict[str, tuple[str, str]] = {
    # refused: nobody but the site's owner or the config can change it
    "scheme": ("the address is neither http nor https", ""),
    "credentials": ("the address carries a user name", ""),
    "bad-address": ("the address cannot be understood", ""),
    "private-address": (
        "the address lies in a private network or on this machine",
        "if that is meant, add the host to crawl.allow_hosts, then: scrape retry",
    ),
    "no-contact": ("hosts outside are asked only with a contact address", "set crawl.contact"),
    "robots": ("the site's robots.txt forbids it", "ask the site's owner"),
    "robots-unreachable": ("the site's robots.txt could not be read, which forbids all", ""),
    "opt-out": ("the site opted out of collecting (header or meta tag)", "ask the site's owner"),
    # rejected: the bytes came, and are no use
    "empty": ("the answer had no bytes", ""),
    "html": ("a web page was served as a picture", ""),
    "not-an-image": ("the bytes are no picture of a known format", ""),
    "truncated": ("the picture ends too early", "the site may have mended it: scrape retry"),
    "broken": ("the picture is damaged", ""),
    "too-small": ("a side is under 16 pixels", ""),
    "odd-aspect": ("the picture is longer than 8:1", ""),
    "too-many-bytes": ("the file is larger than crawl.max_bytes", "raise it, then: scrape retry"),
    "too-many-pixels": ("the picture has too many pixels to be decoded", ""),
    "too-many-frames": ("the animation has too many frames", ""),
    "svg": ("a vector drawing, and the renderer is not installed", "pip install resvg_py"),
    "svg-external": ("a vector drawing that refers to other files or runs scripts", ""),
    "decoder-died": ("the picture crashed its decoder, or took too much memory", ""),
    "out-of-memory": ("the picture took too much memory to decode", ""),
    "decoder-slow": ("the picture took too long to decode", ""),
    # failed or to be tried again: the way there
    "not-found": ("the site says that it is not there", ""),
    "not-recorded": ("the recording has no answer for it", "record it again"),
    "no-icon": ("the site has no usable icon", ""),
    "cut-short": ("the answer ended before its declared end, again and again", "scrape retry"),
    "bad-encoding": ("the answer's compression is unknown or damaged", ""),
    "astray": ("the site's robots.txt leads to where nobody may go", ""),
    "redirect-loop": ("the address leads in a circle", ""),
    "too-many-redirects": ("the address leads on and on", ""),
    "dns": ("the host's name was not found", ""),
    "connection": ("the connection failed", ""),
    "timeout": ("the host did not answer in time", ""),
    "too-slow": ("the whole answer took longer than crawl.deadline_s", ""),
    "tls": ("the encrypted connection failed", ""),
    "host-down": ("its host failed many times in a row and is left alone for a while", ""),
    "host-asleep": ("its host asked to be left alone for longer than a run waits", ""),
    "stopped": ("the run was stopped before it was answered", "scrape resume"),
    "bad-html": ("the page is not understood by any parser", ""),
    "browser": ("the browser failed, or ended by itself", "scrape resume"),
    "lost": ("its bytes were lost from the store", "scrape run"),
    "recheck": ("it is asked whether it changed", ""),
}
_STATUS = re.compile(r"http-([0-9]{3})")


def sentence(reason: str) -> str:
    """What a reason code means."""
    status = _STATUS.fullmatch(reason)
    if status:
        return f"the site answered with HTTP status {status[1]}"
    return REASONS.get(reason, (reason, ""))[0]


def advice(reason: str) -> str:
    """What a person can do about it, or ""."""
    return REASONS.get(reason, ("", ""))[1]
