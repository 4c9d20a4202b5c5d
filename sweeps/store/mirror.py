"""Results in an object store: `--results s3://bucket/folder`.

A journal is appended to, which object stores cannot do. So the truth stays in a local folder, and a
mirror of it is kept in the store: brought up to date in the background while the sweep runs, and
once more when it ends. A driver that finds no local folder, on another machine or after the loss
of a disk, starts from the mirror.

Order keeps the mirror sound at every moment. Checkpoints go up before the journal, and are deleted
there only after it: so its journal never lacks the checkpoint to go on from, at worst an older
one, from which the same numbers come again. What a lost disk costs is what came since the last
round: a trial's reports of that time are trained once more.

Source: pyarrow.fs, `FileSystem.from_uri`; https://arrow.apache.org/docs/python/filesystems.html
"""

import concurrent.futures
import contextlib
import hashlib
import logging
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from picosweep.sweeps.errors import InputError, input_error
from picosweep.sweeps.store.atomic_write import replace_file
from picosweep.sweeps.store.folder import (
    CHECKPOINTS,
    JOURNAL,
    OF_ITS_DRIVER,
    SweepFolder,
    cache_folder,
)
from picosweep.sweeps.store.lock import running_driver

MARK: Final = ".mirror"
"""Name of the file in a results folder that holds the address of its mirror."""
ROUND_SECONDS: Final = 30.0
LEFT_OUT: Final = OF_ITS_DRIVER | {MARK, ".cache"}

log = logging.getLogger("picosweep")


def local_results(results: Path) -> Path:
    """Return the local folder of a results path; that of an object store holds its address.

    Args:
        results: `s3://…` or an ordinary folder, as typed; `pathlib` has made one slash of two.

    Raises:
        InputError: the address cannot be used.
    """
    address = str(results)
    scheme, _, rest = address.partition(":/")
    if not rest or "/" in scheme:
        return results.expanduser()
    address = f"{scheme}://{'/' if scheme == 'file' else ''}{rest.lstrip('/')}"
    _open_store(address)
    name = hashlib.blake2b(address.encode(), digest_size=8).hexdigest()
    folder = cache_folder() / "mirrored" / name
    replace_file(folder / MARK, address.encode())
    return folder


class Mirror(contextlib.AbstractContextManager["Mirror"]):
    """Keeps one sweep's folder in an object store.

    Args:
        address: address of the results in the store, `s3://…`.
        folder: the sweep's local folder.
    """

    def __init__(self, address: str, folder: Path) -> None:
        self._store, base = _open_store(address)
        self._base = f"{base}/{folder.name}"
        self._address = address
        self._folder = folder
        self._sent: dict[str, tuple[int, int]] = {}
        self._background = concurrent.futures.ThreadPoolExecutor(1)
        self._round: concurrent.futures.Future[None] | None = None
        self._due = time.monotonic() + ROUND_SECONDS

    def check(self) -> None:
        """Check that the store can be written, before hours are spent on a sweep.

        Raises:
            InputError: the store cannot be reached or written.
        """
        try:
            self._write(MARK, self._address.encode())
        except OSError as error:
            raise input_error(
                f"the results path cannot be written: {error}",
                where=self._address,
                hint="is the bucket there, and are AWS_ACCESS_KEY_ID and so on set?",
            ) from error

    def _write(self, name: str, content: bytes) -> None:
        path = f"{self._base}/{name}"
        if self._store.type_name == "local":  # an object store has no folders to be made
            self._store.create_dir(path.rpartition("/")[0])
        with self._store.open_output_stream(path) as stream:
            stream.write(content)

    def when_due(self) -> None:
        """Start a round in the background, if the last one is done and the next one is due."""
        if time.monotonic() < self._due or (self._round is not None and not self._round.done()):
            return
        self._due = time.monotonic() + ROUND_SECONDS
        self._round = self._background.submit(self._try_push)

    def _try_push(self) -> None:
        try:
            self.push()
        except OSError as error:
            log.warning("the results could not be mirrored to %s: %s", self._address, error)

    def push(self) -> None:
        """Bring the mirror up to date.

        Raises:
            OSError: the store cannot be written; the next round tries again.
        """
        files = self._local_files()
        whole = True
        for name in sorted(files, key=_order):
            try:
                self._send(name)
            except FileNotFoundError:
                whole = False  # a checkpoint that has just been replaced: keep the older one there
        for name in set(self._sent) - set(files) if whole else ():
            with contextlib.suppress(FileNotFoundError):
                self._store.delete_file(f"{self._base}/{name}")
            del self._sent[name]

    def _local_files(self) -> list[str]:
        return [
            path.relative_to(self._folder).as_posix()
            for path in self._folder.rglob("*")
            if path.is_file()
            and path.relative_to(self._folder).parts[0] not in LEFT_OUT
            and not path.name.endswith(".tmp")
        ]

    def _send(self, name: str) -> None:
        path = self._folder / name
        stat = path.stat()
        state = (stat.st_mtime_ns, stat.st_size)
        if self._sent.get(name) == state:
            return
        self._write(name, path.read_bytes())
        self._sent[name] = state

    def pull(self) -> int:
        """Fetch what is in the mirror and not here, unless the sweep is here already.

        Returns:
            number of files that were fetched.

        Raises:
            InputError: the store cannot be read.
        """
        if any(SweepFolder(self._folder).journal.glob("*.jsonl")):
            return 0
        return _download(self._store, self._base, self._folder, self._address)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._background.shutdown()
        try:
            self.push()
        except OSError as problem:
            if error is None:
                raise input_error(
                    f"the results could not be mirrored: {problem}",
                    where=self._address,
                    hint=f"they lie in {self._folder}; the same command tries again",
                ) from problem


def open_mirror(folder: Path) -> Mirror | None:
    """Open the mirror of a sweep's folder and fetch the sweep; None if there is no mirror.

    Raises:
        InputError: the store cannot be reached or written.
    """
    try:
        address = (folder.parent / MARK).read_text(encoding="utf-8")
    except OSError:
        return None
    mirror = Mirror(address, folder)
    mirror.check()
    if mirror.pull():
        log.info("the sweep was taken up from %s", address)
    return mirror


def open_results(results: str | Path) -> Path:
    """Return the local folder of a results path, brought up to date where it is a mirror of one.

    Args:
        results: path of a folder, or `s3://bucket/folder`.

    Raises:
        InputError: the address cannot be used, or the store cannot be read.
    """
    folder = local_results(Path(results))
    refresh(folder)
    return folder


def refresh(results: Path) -> None:
    """Bring a mirrored results folder up to date for reading, but for sweeps that run here.

    Raises:
        InputError: the store cannot be read.
    """
    try:
        address = (results / MARK).read_text(encoding="utf-8")
    except OSError:
        return
    store, base = _open_store(address)
    for name in _children(store, base, address):
        if running_driver(results / name) is None:
            _download(store, f"{base}/{name}", results / name, address)


def _order(name: str) -> tuple[int, str]:
    """Return a sort key: checkpoints first, the journal next, what is made from it last."""
    kinds = {CHECKPOINTS: 0, JOURNAL: 1}
    return kinds.get(name.partition("/")[0], 2), name


def _open_store(address: str) -> tuple[Any, str]:
    from pyarrow import fs  # noqa: PLC0415 - takes its time

    try:
        store, path = fs.FileSystem.from_uri(address)
    except (OSError, ValueError) as error:
        raise input_error(
            f"this results path cannot be used: {error}",
            key="--results",
            found=address,
            allowed="a folder, or s3://bucket/folder (gs://… likewise)",
        ) from error
    return store, path.rstrip("/")


def _children(store: Any, base: str, address: str) -> list[str]:
    from pyarrow import fs  # noqa: PLC0415

    try:
        found = store.get_file_info(fs.FileSelector(base, allow_not_found=True))
    except OSError as error:
        raise _unreadable(address, error) from error
    return [info.base_name for info in found if info.type == fs.FileType.Directory]


def _download(store: Any, base: str, folder: Path, address: str) -> int:
    from pyarrow import fs  # noqa: PLC0415

    num = 0
    try:
        found = store.get_file_info(fs.FileSelector(base, recursive=True, allow_not_found=True))
        for info in found:
            name = info.path.removeprefix(f"{base}/")
            target = folder / name
            if info.type != fs.FileType.File or name == MARK or _same(target, info):
                continue
            with store.open_input_stream(info.path) as stream:
                replace_file(target, stream.read())
            num += 1
    except OSError as error:
        raise _unreadable(address, error) from error
    return num


def _same(target: Path, info: Any) -> bool:
    try:
        stat = target.stat()
    except OSError:
        return False
    return bool(stat.st_size == info.size and stat.st_mtime >= info.mtime.timestamp())


def _unreadable(address: str, error: OSError) -> InputError:
    return input_error(
        f"the results cannot be read: {error}",
        where=address,
        hint="is the bucket there, and are AWS_ACCESS_KEY_ID and so on set?",
    )
