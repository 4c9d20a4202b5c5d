"""What Syne Tune starts for each trial."""

import argparse

from syne_tune import Reporter

from benchmarks.sweep_efficiency.workload import Workload

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--number", type=int)
    parser.add_argument("--workload")
    parser.add_argument("--log")
    given, _ = parser.parse_known_args()
    report = Reporter()
    for step, loss in Workload.read(given.workload).train(given.number, given.log):
        report(step=step, val_loss=loss)
