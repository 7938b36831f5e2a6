"""Whoever asks outside says who they are: the contact address that a live run needs."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from dataset.errors import ConfigError
from scrape.config import CrawlSettings
from scrape.guard import is_loopback
from scrape.sources import Source


def require_contact(sources: Sequence[Source[Any]], settings: CrawlSettings) -> None:
    """Raise ConfigError when a source needs the contact address that `settings` lack."""
    if settings.contact:
        return
    for source in sources:
        for netloc in source.spec.hosts():
            host = urlsplit(f"//{netloc}").hostname or ""
            if not (host in settings.allow_hosts and is_loopback(host)):
                raise ConfigError(
                    f"source {source.spec.name} asks {host} without a contact address; "
                    'set crawl.contact = "you@example.org" in the config or by --set, '
                    "so that the site's owner can reach you"
                )
