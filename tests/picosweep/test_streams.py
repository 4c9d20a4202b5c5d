"""Outputs as commands find them: narrow, closed, full, gone midway; and being interrupted."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.small_sweep import write_sweep

COMMAND = [sys.executable, "-m", "picosweep.cli"]


def run(*words: str, expect: int = 0, **options: object) -> subprocess.CompletedProcess[str]:
    """Run a command; what it printed, on both streams."""
    environment = os.environ | {"COLUMNS": "100"} | options.pop("env", {})  # type: ignore[operator]
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
    done = subprocess.run(
        [*COMMAND, *words], text=True, check=False, timeout=60, env=environment, **options
    )  # type: ignore[call-overload]
    assert done.returncode == expect, done
    assert "Traceback" not in f"{done.stdout}{done.stderr}"
    return done  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    "env",
    [
        {"PYTHONIOENCODING": "ascii"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    ],
)
def test_a_narrow_encoding_gets_what_it_can_hold(env: dict[str, str], tmp_path: Path) -> None:
    """Output is replaced, and a message says what was found all the same."""
    wide = tmp_path / "wide.py"
    wide.write_text(
        "from picosweep.terminal.streams import prepare_streams\n"
        "prepare_streams()\n"
        "print('2.7 ± 0.1 × ∞ … é世')\n",
        encoding="utf-8",
    )
    shown = subprocess.run(
        [sys.executable, wide], env=os.environ | env, capture_output=True, text=True, check=True
    )
    assert shown.stdout == "2.7 +/- 0.1 x inf ... ??\n"
    (tmp_path / "spec.yaml").write_text("name: é\n", encoding="utf-8")
    refused = run("run", str(tmp_path / "spec.yaml"), expect=2, env=env)
    assert "\\xe9" in refused.stderr


def test_closed_streams_keep_their_numbers(tmp_path: Path) -> None:
    """A file that is opened next does not become what others print to."""
    script = tmp_path / "closed.py"
    script.write_text(
        "import os\n"
        "from picosweep.terminal.streams import prepare_streams\n"
        "prepare_streams()\n"
        f"file = open({str(tmp_path / 'kept')!r}, 'w')\n"
        "assert file.fileno() > 2, file.fileno()\n"
        "print('lost')\n"
        "os.write(2, b'lost, too')\n"
        "file.write('kept')\n"
    )
    closed = f"exec {sys.executable} {script} <&- >&- 2>&-"
    subprocess.run(["bash", "-c", closed], check=True, timeout=60)
    assert (tmp_path / "kept").read_text() == "kept"
    module = f"exec {sys.executable} -m picosweep.cli presets"
    subprocess.run(["bash", "-c", f"{module} >&- 2>&-"], check=True, timeout=60)


def test_a_reader_that_leaves_ends_nothing() -> None:
    """`picosweep presets | head -1` is no error."""
    presets = f"{sys.executable} -m picosweep.cli presets"
    piped = f"set -o pipefail; {presets} | head -c 1"
    done = subprocess.run(["bash", "-c", piped], capture_output=True, check=True, timeout=60)
    assert done.stderr == b""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a disk that is full")
def test_output_that_is_lost_is_told() -> None:
    """A script that redirects `--json` must not take half an answer for a whole one."""
    with open("/dev/full", "w") as full:  # noqa: PTH123
        done = run("schema", expect=2, stdout=full)
    assert "the output could not be written: No space left on device" in done.stderr


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_interrupted_while_data_is_prepared(how: signal.Signals, tmp_path: Path) -> None:
    """It ends at once and says so, although a library is at work in a thread."""
    script = tmp_path / "preparing.py"
    script.write_text(
        "import sys, time\n"
        "from picosweep import cli\n"
        "from picosweep.commands import run\n"
        "def prepare_all(*_):\n"
        "    print('preparing', flush=True)\n"
        "    time.sleep(60)\n"
        "run.prepare_all = prepare_all\n"
        "run.Cluster.start = lambda self: None\n"
        "sys.argv = ['picosweep', 'run', sys.argv[1]]\n"
        "cli.main()\n"
    )
    write_sweep(tmp_path)
    with subprocess.Popen(
        [sys.executable, script, "spec.yaml"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        while "preparing" not in process.stdout.readline():
            assert process.poll() is None
        time.sleep(1)
        asked = time.monotonic()
        process.send_signal(how)
        _, told = process.communicate(timeout=50)
    assert time.monotonic() - asked < 30  # of the 60 that the thread takes
    assert process.returncode == 130
    assert "interrupted; give the command again to go on" in told
    assert not (tmp_path / "results" / "small").exists()
