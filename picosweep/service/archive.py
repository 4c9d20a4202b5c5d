"""A sweep's folder as one stream: a tar archive that is made while it is sent."""

import os
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final

from picosweep.sweeps.store.folder import CHECKPOINTS, OF_ITS_DRIVER

CHUNK: Final = 256 * 1024


def archive(folder: Path, *, checkpoints: bool) -> Iterator[bytes]:
    """Yield the parts of an archive; what only a driver of this machine needs is left out.

    A file that grows meanwhile is sent as long as it was.

    Args:
        folder: the sweep's folder.
        checkpoints: whether trained weights go along.

    Raises:
        OSError: a file has gone or got shorter: the stream ends in the middle.
    """
    reading, writing = os.pipe()
    sender = _Sender(folder, writing, checkpoints=checkpoints)
    sender.start()
    with os.fdopen(reading, "rb", buffering=0) as pipe:
        while part := pipe.read(CHUNK):
            yield part
    sender.join()
    if sender.error is not None:
        raise sender.error


class _Sender(threading.Thread):
    def __init__(self, folder: Path, writing: int, *, checkpoints: bool) -> None:
        super().__init__(daemon=True)
        self.error: OSError | None = None
        self._folder, self._writing = folder, writing
        self._left_out = OF_ITS_DRIVER | (frozenset() if checkpoints else {CHECKPOINTS})

    def run(self) -> None:
        """Write the archive into the pipe."""
        try:
            with os.fdopen(self._writing, "wb") as pipe:
                self._write(pipe)
        except BrokenPipeError:
            return  # the reader has gone
        except (OSError, tarfile.TarError) as error:
            self.error = error if isinstance(error, OSError) else OSError(str(error))

    def _write(self, pipe: IO[bytes]) -> None:
        with tarfile.open(fileobj=pipe, mode="w|") as tar:
            for path in sorted(self._folder.rglob("*")):
                relative = path.relative_to(self._folder)
                if relative.parts[0] in self._left_out or path.name.endswith(".tmp"):
                    continue
                if path.is_file() and not path.is_symlink():
                    tar.add(path, arcname=str(relative), recursive=False)
