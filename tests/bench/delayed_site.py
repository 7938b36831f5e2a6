"""Many hosts on 127.0.0.x that answer after a delay; some hang or drip. Its own log is the judge.

`python -m tests.bench.delayed_site PORT HOSTS DELAY_S BAD LOG` serves until it is ended.
"""

import asyncio
import json
import sys
import time
from pathlib import Path

from tests.scrape.drawings import picture


class Site:
    """One answer for every path; `bad` of the hosts never finish theirs."""

    def __init__(self, delay_s: float, bad: set[str], log: Path) -> None:
        self._delay_s, self._bad = delay_s, bad
        self._log = log.open("w", buffering=1)
        self._pictures: dict[str, bytes] = {}

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host = writer.get_extra_info("sockname")[0]
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                path = head.split(b" ", 2)[1].decode()
                started = time.time()
                if host in self._bad and path != "/robots.txt":
                    await self._never(writer, int(host.rsplit(".", 1)[1]))
                await asyncio.sleep(self._delay_s)
                body = b"" if path == "/robots.txt" else self._picture(host + path)
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
                await writer.drain()
                line = {"host": host, "path": path, "from": started, "to": time.time()}
                self._log.write(json.dumps(line) + "\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _never(self, writer: asyncio.StreamWriter, number: int) -> None:
        """Hang without a word, or drip a byte a second."""
        if number % 2:
            await asyncio.sleep(3600)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(1.0)

    def _picture(self, name: str) -> bytes:
        if name not in self._pictures:
            self._pictures[name] = picture(hash(name) % 1_000_000, side=32)
        return self._pictures[name]


async def serve(port: int, hosts: int, delay_s: float, bad: int, log: Path) -> None:
    names = [f"127.0.0.{n}" for n in range(1, hosts + 1)]
    site = Site(delay_s, set(names[:bad]), log)
    servers = [await asyncio.start_server(site.answer, name, port) for name in names]
    print("ready", flush=True)
    await asyncio.gather(*(server.serve_forever() for server in servers))


if __name__ == "__main__":
    asyncio.run(
        serve(
            int(sys.argv[1]),
            int(sys.argv[2]),
            float(sys.argv[3]),
            int(sys.argv[4]),
            Path(sys.argv[5]),
        )
    )
