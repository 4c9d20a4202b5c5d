"""Linear attention in chunks against the prefix-sum form: time and memory over the block size.

    python -m benchmarks.linear_attention

The prefix-sum form keeps the running state of every time step: B·H·T·d² numbers. Memory is the
growth of the process's largest size over one forward and backward pass, in a process of its own.

Shape suffixes: B batch, H heads, T time, K numbers a head.
"""

import functools
import multiprocessing
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from benchmarks.timing import parser, print_timings, take_turns
from picosweep.pico.models.layers.linear_attention import (
    feature_map,
    weight_totals,
    weighted_values,
)

BATCH_SIZE, NUM_HEADS, HEAD_SIZE, CHUNK_SIZE = 4, 4, 32, 64


def chunked(q_BHTK: Tensor, k_BHTK: Tensor, v_BHTK: Tensor) -> Tensor:
    """Return what Picosweep computes."""
    q_BHTK, k_BHTK = feature_map(q_BHTK), feature_map(k_BHTK)
    totals_BHT, _ = weight_totals(q_BHTK, k_BHTK)
    sums_BHTK, _ = weighted_values(q_BHTK, k_BHTK, v_BHTK, chunk_size=CHUNK_SIZE)
    return sums_BHTK / totals_BHT.unsqueeze(-1)


def prefix_sums(q_BHTK: Tensor, k_BHTK: Tensor, v_BHTK: Tensor) -> Tensor:
    """Return the same from the running state of every time step."""
    q_BHTK, k_BHTK = feature_map(q_BHTK), feature_map(k_BHTK)
    states_BHTKK = (k_BHTK.unsqueeze(-1) * v_BHTK.unsqueeze(-2)).cumsum(2)
    sums_BHTK = (q_BHTK.unsqueeze(-2) @ states_BHTKK).squeeze(-2)
    totals_BHT = (q_BHTK * k_BHTK.cumsum(2)).sum(-1)
    return sums_BHTK / totals_BHT.unsqueeze(-1)


FORMS = {"prefix sums": prefix_sums, "picosweep, in chunks": chunked}


def run(form: str, length: int) -> Tensor:
    """Run one forward and backward pass and return the output."""
    torch.manual_seed(0)
    shape = (BATCH_SIZE, NUM_HEADS, length, HEAD_SIZE)
    q_BHTK, k_BHTK, v_BHTK = (torch.randn(shape, requires_grad=True) for _ in range(3))
    out_BHTK = FORMS[form](q_BHTK, k_BHTK, v_BHTK)
    out_BHTK.sum().backward()  # type: ignore[no-untyped-call]
    return out_BHTK.detach()


def grown_megabytes(form: str, length: int) -> float:
    """Return by how much a pass makes a process larger that has done a small one before."""
    torch.set_num_threads(1)
    run(form, CHUNK_SIZE)
    before = largest_kilobytes()
    run(form, length)
    return (largest_kilobytes() - before) / 1024


def largest_kilobytes() -> int:
    """Return the largest size that this process has had.

    From Linux itself: what `resource` gives a new process includes the largest size of its parent.
    """
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.split("VmHWM:")[1].split()[0])


def print_memory(lengths: list[int]) -> None:
    """Print the memory of both forms, one row a block size."""
    table = Table(title="memory of one forward and backward pass, MB", title_justify="left")
    table.add_column("block size", justify="right")
    for form in FORMS:
        table.add_column(form, justify="right")
    spawning = multiprocessing.get_context("spawn")
    for length in lengths:
        row = [str(length)]
        for form in FORMS:
            with spawning.Pool(1) as pool:
                row.append(f"{pool.apply(grown_megabytes, (form, length)):.1f}")
        table.add_row(*row)
    Console().print(table)


def main() -> None:
    """Compare both forms at growing block sizes."""
    arguments = parser(__doc__, rounds=5).parse_args()
    torch.set_num_threads(arguments.threads)
    for length in (64, 256, 1024, 4096):
        expected, got = (run(form, length) for form in FORMS)
        torch.testing.assert_close(got, expected, rtol=1e-3, atol=1e-4)
        timings = take_turns(
            {form: functools.partial(run, form, length) for form in FORMS},
            rounds=arguments.rounds,
        )
        title = f"block {length}, batch {BATCH_SIZE}, {NUM_HEADS} heads of {HEAD_SIZE}"
        print_timings(title, timings)
    print_memory([1024, 2048, 4096, 8192])


if __name__ == "__main__":
    main()
