"""A model hub on the loopback interface: one model, one commit, files with their checksums."""

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

NAME = "someone/colours"
COMMIT = "0123456789abcdef0123456789abcdef01234567"


class _Hub(BaseHTTPRequestHandler):
    folder: Path
    asked: list[str]

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def _answer(self, *, with_body: bool) -> None:
        path = self.path.split("?")[0]
        self.asked.append(path)
        status, body = 404, b"{}"
        if path.startswith(f"/api/models/{NAME}") and "/tree/" not in path:
            names = [{"rfilename": file.name} for file in self.folder.iterdir()]
            about = {"id": NAME, "modelId": NAME, "sha": COMMIT, "tags": [], "siblings": names}
            status, body = 200, json.dumps(about).encode()
        elif path.startswith(f"/{NAME}/resolve/"):
            file = self.folder / path.rsplit("/", 1)[1]
            if file.is_file():
                status, body = 200, file.read_bytes()
        self.send_response(status)
        if status == 404:
            known = path.startswith((f"/{NAME}/", f"/api/models/{NAME}"))
            self.send_header("X-Error-Code", "EntryNotFound" if known else "RepoNotFound")
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("ETag", f'"{hashlib.sha256(body).hexdigest()}"')
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if with_body:
            self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        return


@contextmanager
def loopback_hub(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """Serve `folder` as the model NAME; yields the address and the paths asked for so far."""
    asked: list[str] = []
    handler = type("Hub", (_Hub,), {"folder": folder, "asked": asked})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
