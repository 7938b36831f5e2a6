"""The demo site as a whole: a context manager for tests, a command for people."""

import errno
import threading
from importlib import resources
from pathlib import Path
from types import TracebackType
from urllib.parse import urlsplit

from dataset.errors import ConfigError, WorldError
from scrape.demo_site.collection import Collection
from scrape.demo_site.drawn_collection import DrawnCollection
from scrape.demo_site.folder_collection import FolderCollection
from scrape.demo_site.router import Router
from scrape.demo_site.server import Request, SiteServer, is_loopback


class DemoSite:
    """A web site on loopback that draws its pictures from `seed`, or shows those at `pictures`.

    The port is bound at once (0: any free one) and served from `with` or `serve_forever`.
    `planted` holds the addresses (paths on the site) of the traps by kind, `copy_of` the original
    of each planted copy. Raises ConfigError for a bad seed, host, port or `pictures`, WorldError
    when the port is taken.
    """

    def __init__(
        self,
        seed: int = 7,
        pictures: Path | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        if seed < 0:
            raise ConfigError(f"seed is {seed}; it must be at least 0")
        if not is_loopback(host):
            raise ConfigError(f"the demo site serves on loopback only, not on {host}")
        if not 0 <= port <= 65535:
            raise ConfigError(f"port is {port}; it must be in 0..65535")
        self.collection: Collection = (
            DrawnCollection(seed) if pictures is None else FolderCollection(pictures)
        )
        self.planted = self.collection.planted
        self.copy_of = self.collection.copy_of
        self._host = host
        self._thread: threading.Thread | None = None
        try:
            self._server = SiteServer((host, port), Router(self.collection))
        except OSError as error:
            self.collection.close()
            raise _port_error(error, host, port) from error

    @property
    def url(self) -> str:
        """Such as http://127.0.0.1:8765, without a slash at the end."""
        return f"http://{self._host}:{self._server.server_port}"

    @property
    def requests(self) -> list[Request]:
        """(method, path with query, status, monotonic seconds) of the requests so far."""
        return list(self._server.requests)

    def config_text(self) -> str:
        """A crawl config (TOML) for what this site has: without its card grid if that is empty."""
        return demo_config_text(self.url, with_cards=bool(self.collection.cards))

    def serve_forever(self) -> None:
        """Serve until KeyboardInterrupt, which is passed on; the port is free afterwards."""
        try:
            thread = self._thread
            if thread is None:
                self._server.serve_forever()
            else:
                thread.join()
        finally:
            self.close()

    def close(self) -> None:
        """Stop serving; safe to call twice."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._server.shutdown()
            thread.join()
        self._server.server_close()
        self.collection.close()

    def __enter__(self) -> "DemoSite":
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), name="demo-site", daemon=True
        )
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def demo_config_text(base: str, *, with_cards: bool = True) -> str:
    """The crawl config (TOML) that collects everything from a demo site at `base`.

    Without cards, the source of the card grid is left out: an empty grid counts as a changed one.
    Raises ConfigError when `base` is no plain web address.
    """
    parts = urlsplit(base)
    if parts.scheme != "http" or not parts.hostname or '"' in base or "\\" in base:
        raise ConfigError(
            f"{base} is not the address of a demo site, such as http://127.0.0.1:8765"
        )
    text = (resources.files("scrape.demo_site") / "demo.toml").read_text(encoding="utf-8")
    if not with_cards:
        head, animals = text.split("[[source]]")[0], text.split("[[source]]")[2]
        text = f"{head}[[source]]{animals}"
    return text.replace("{base}", base.rstrip("/")).replace("{host}", parts.hostname)


def _port_error(error: OSError, host: str, port: int) -> WorldError | OSError:
    if error.errno == errno.EADDRINUSE:
        return WorldError(
            f"port {port} on {host} is taken; stop the other program or choose another --port"
        )
    if error.errno == errno.EACCES:
        return WorldError(f"port {port} on {host} may not be used; choose a --port above 1023")
    return error
