"""Bytes by path: atomic, compare-and-set, the same on disk, in memory and on S3."""

import os
import socket
import threading
import time
import uuid
from functools import partial
from pathlib import Path

import pytest
from filelock import FileLock
from pydantic import SecretStr

from reprocensus.errors import StoreError, UsageError, WriteConflictError
from reprocensus.settings import Settings
from reprocensus.storage import Storage, open_storage
from reprocensus.storage.local import LocalStorage
from reprocensus.storage.remote import S3Storage


@pytest.fixture
def s3_settings(s3_server: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name, value in s3_server.items():
        monkeypatch.setenv(name, value)
    return Settings()


@pytest.fixture(params=["local", "s3", "memory"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    if request.param == "local":
        return open_storage(str(tmp_path / "store"), Settings())
    if request.param == "s3":
        return open_storage(f"s3://census/{uuid.uuid4().hex}", request.getfixturevalue("s3_settings"))
    return open_storage(f"memory://{uuid.uuid4().hex}", Settings())


def test_what_is_created_is_read_listed_and_left_alone(storage: Storage) -> None:
    storage.prepare()
    assert storage.list("a") == []
    assert storage.version("a/b=1/x y.bin") is None
    storage.create("a/b=1/x y.bin", b"one")
    storage.create("a/b=1/x y.bin", b"two")
    assert storage.read("a/b=1/x y.bin") == b"one"
    assert storage.list("a") == ["a/b=1/x y.bin"]
    assert storage.exists("a/b=1/x y.bin")
    with storage.open("a/b=1/x y.bin") as file:
        file.seek(1)
        assert file.read() == b"ne"
    with pytest.raises(FileNotFoundError):
        storage.read("a/none")
    assert storage.age("a/none") is None
    age = storage.age("a/b=1/x y.bin")
    assert age is not None
    assert -1 <= age < 60
    (told,) = storage.details("a")
    assert (told.path, told.n_bytes) == ("a/b=1/x y.bin", 3)
    assert -1 <= told.age_s < 60
    storage.delete("a/b=1/x y.bin")
    storage.delete("a/b=1/x y.bin")
    assert not storage.list("a")
    assert not list(storage.details("a"))


def test_a_replacement_fails_if_somebody_came_between(storage: Storage) -> None:
    storage.replace("t/x", b"1", None)
    seen = storage.version("t/x")
    storage.replace("t/x", b"22", seen)
    with pytest.raises(WriteConflictError):
        storage.replace("t/x", b"333", seen)
    with pytest.raises(WriteConflictError):
        storage.replace("t/x", b"333", None)
    assert storage.read("t/x") == b"22"


def test_no_update_is_lost_between_threads(storage: Storage) -> None:
    storage.replace("n", b"0", None)

    def add() -> None:
        for _ in range(5):
            while True:
                seen = storage.version("n")
                value = int(storage.read("n"))
                try:
                    storage.replace("n", b"%d" % (value + 1), seen)
                    break
                except WriteConflictError:
                    continue

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert storage.read("n") == b"20"


def test_a_bucket_that_ignores_conditions_is_refused(
    s3_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = open_storage("s3://census/probe", s3_settings)
    assert isinstance(storage, S3Storage)
    put = storage.fs.call_s3

    def careless(method: str, **arguments: object) -> object:
        arguments.pop("IfMatch", None)
        arguments.pop("IfNoneMatch", None)
        return put(method, **arguments)

    monkeypatch.setattr(storage.fs, "call_s3", careless)
    with pytest.raises(StoreError, match="ignores conditional writes"):
        storage.prepare()


def test_what_a_dead_process_left_is_cleared_and_what_a_live_one_writes_is_not(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path)
    storage.prepare()
    dead = tmp_path / "tmp" / f"{socket.gethostname()}-999999999-a"
    live = tmp_path / "tmp" / f"{socket.gethostname()}-{os.getpid()}-a"
    strange = tmp_path / "tmp" / "notes"
    for path in (dead, live, strange):
        path.write_bytes(b"half")
    storage.prepare()
    assert not dead.exists()
    assert live.exists()
    assert strange.exists()


def test_errors_name_the_store_and_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    storage = open_storage(str(tmp_path / "file" / "store"), Settings())
    with pytest.raises(StoreError, match="is a file; a store is a folder"):
        storage.create("x", b"")
    with pytest.raises(UsageError, match="nosuch"):
        open_storage("nosuch://x", Settings())
    storage = open_storage(
        "s3://nobucket/x",
        Settings(s3_endpoint="http://127.0.0.1:9", s3_key=SecretStr("k"), s3_secret=SecretStr("s")),
    )
    with pytest.raises(StoreError, match="s3://nobucket/x"):
        storage.version("x")


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("", "is empty"),
        (" s3://census/x", "with a space"),
        ("data\n", "with a space"),
        ("s3:/census/x", "one slash"),
        ("s3:///x", "no bucket"),
        ("s3://", "no bucket"),
        ("nope://x", "not known"),
    ],
)
def test_a_mistyped_store_is_refused(uri: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        open_storage(uri, Settings())


def test_a_machine_whose_clock_is_off_is_refused(
    tmp_path: Path, s3_settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Of two rows the one recorded later stands, so machines may differ by minutes, not by an hour."""
    local = LocalStorage(tmp_path / "s")
    far = open_storage(f"s3://census/{uuid.uuid4().hex}", s3_settings)
    now = time.time()
    for storage in (local, far):
        storage.prepare()
        assert "clock is" not in caplog.text
        monkeypatch.setattr("reprocensus.storage._CLOCK_WARN_S", -1)
        storage.prepare()
        assert "clock is" in caplog.text
        monkeypatch.undo()
        caplog.clear()
    monkeypatch.setattr(LocalStorage, "_clock", lambda self: now - 3600)
    monkeypatch.setattr(S3Storage, "_ahead_s", lambda self, path: -3600)
    with pytest.raises(StoreError, match="ahead of that of the store"):
        local.prepare()
    with pytest.raises(StoreError, match="3600 s behind that of the store"):
        far.prepare()
    assert far.list("tmp") == []


def test_a_server_that_dies_while_a_bucket_is_tried_leaves_nothing_to_clear(
    s3_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A put whose mark had to be deleted again was left behind by a server killed in between."""
    storage = open_storage(f"s3://census/{uuid.uuid4().hex}", s3_settings)
    assert isinstance(storage, S3Storage)
    undisturbed = open_storage(f"s3://census/{uuid.uuid4().hex}", s3_settings)
    undisturbed.prepare()
    call = storage.fs.call_s3
    for dies_at in (1, 2, 3):
        calls = 0

        def dying(method: str, *path: str, dies_at: int = dies_at, **arguments: object) -> object:
            nonlocal calls
            calls += 1
            if calls >= dies_at:
                raise ConnectionError("the server was killed")
            return call(method, **arguments)

        monkeypatch.setattr(storage.fs, "call_s3", dying)
        monkeypatch.setattr(storage.fs, "rm_file", partial(dying, "delete_object"))
        with pytest.raises(StoreError, match="the server was killed"):
            storage.prepare()
        monkeypatch.undo()
        storage.prepare()
        assert storage.list("") == undisturbed.list("")
        for path in storage.list(""):
            storage.delete(path)


def test_a_process_that_hangs_at_a_write_does_not_make_others_hang(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reprocensus.storage.local._LOCK_WAIT_S", 0.2)
    storage = LocalStorage(tmp_path / "s")
    storage.replace("a", b"1", None)
    (lock,) = (tmp_path / "s" / "locks").iterdir()
    with FileLock(lock), pytest.raises(StoreError, match="has held that lock"):
        storage.replace("a", b"2", storage.version("a"))
    storage.replace("a", b"2", storage.version("a"))
