"""An S3 server whose objects survive its being killed: moto, with every put kept on disk before its answer.

`python durable_s3.py PORT FOLDER`. Objects that FOLDER holds are put again when it starts.
"""

import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class Durable:
    """Keeps what changes an object, once it was answered with success and before the client hears of it."""

    def __init__(self, application: Application, folder: Path) -> None:
        self.application = application
        self.folder = folder

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        answer: list[Any] = []
        body = list(self.application(environ, lambda *told: answer.extend(told)))
        if answer[0].startswith("2") and environ["REQUEST_METHOD"] in ("PUT", "DELETE", "POST"):
            self.keep()
        start(*answer[:2])
        return body

    def keep(self) -> None:
        """Writes what is new in any bucket; removes what is gone."""
        wanted = set()
        for bucket in backend().buckets.values():
            for name, key in list(bucket.keys.items()):
                path = self.folder / f"{quote(bucket.name, safe='')} {quote(name, safe='')} {key.etag[1:-1]}"
                wanted.add(path)
                if not path.exists():
                    half = path.with_name(f"half-{os.getpid()}")
                    half.write_bytes(key.value)
                    half.replace(path)
        for path in set(self.folder.iterdir()) - wanted:
            path.unlink(missing_ok=True)


def backend() -> Any:
    from moto.s3.models import s3_backends

    return s3_backends["123456789012"]["aws"]


def serve(port: int, folder: Path) -> None:
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import run_simple

    os.environ.setdefault("MOTO_S3_DEFAULT_KEY_BUFFER_SIZE", str(2**30))
    folder.mkdir(parents=True, exist_ok=True)
    backend().create_bucket("census", "us-east-1")
    # Two versions of one object may lie there if the server was killed between writing and removing.
    for path in sorted(folder.iterdir(), key=lambda p: p.stat().st_mtime_ns):
        if path.name.startswith("half-"):
            path.unlink()
            continue
        bucket, name, _ = path.name.split(" ")
        backend().put_object(unquote(bucket), unquote(name), path.read_bytes())
    # One request at a time: what is kept is then one state of the store.
    application = Durable(DomainDispatcherApplication(create_backend_app), folder)
    run_simple("127.0.0.1", port, application, threaded=False)


if __name__ == "__main__":
    serve(int(sys.argv[1]), Path(sys.argv[2]))
