"""Each tool as it would be used for these trials: `python -m ….tools NAME WORKLOAD LOG`.

The trials train nothing but what `Workload.train` trains. What a tool writes goes below `LOG`.
"""

import logging
import multiprocessing
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.sweep_efficiency.workload import SLOTS, Workload


def bare(path: str, log: str) -> None:
    """Train in two plain processes that take the next trial from a counter: the floor."""
    context = multiprocessing.get_context("spawn")
    counter = context.Value("i", 0)
    workers = [context.Process(target=_take, args=(path, log, counter)) for _ in range(SLOTS)]
    _run_all(workers)


def _run_all(workers: Sequence[Any]) -> None:
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    if any(worker.exitcode for worker in workers):
        raise RuntimeError("a process that trained has failed")


def _take(path: str, log: str, counter: Any) -> None:
    work = Workload.read(path)
    while True:
        with counter.get_lock():
            number = counter.value
            counter.value += 1
        if number >= len(work.trials):
            return
        for _ in work.train(number, log):
            pass


def tune_documented(path: str, log: str) -> None:
    """Ray Tune as its getting-started guide has it: a function, `Tuner`, `tune.report`."""
    from ray import tune

    def objective(config: dict[str, Any]) -> None:
        for step, loss in Workload.read(path).train(config["number"], log):
            tune.report({"step": step, "val_loss": loss})

    count = len(Workload.read(path).trials)
    tuner = tune.Tuner(
        objective,
        param_space={"number": tune.grid_search(list(range(count)))},
        tune_config=tune.TuneConfig(metric="val_loss", mode="min"),
        run_config=tune.RunConfig(storage_path=str(Path(log) / "tune"), name="efficiency"),
    )
    tuner.fit()


def tune_tuned(path: str, log: str) -> None:
    """Ray Tune with what makes it quicker: a class, actors used again, no loggers, no output."""
    os.environ |= {"TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1", "RAY_AIR_NEW_OUTPUT": "0"}
    import ray
    from ray import tune

    class Trial(tune.Trainable):
        def setup(self, config: dict[str, Any]) -> None:
            self.reset_config(config)

        def reset_config(self, new_config: dict[str, Any]) -> bool:
            self._reports = Workload.read(path).train(new_config["number"], log)
            return True

        def step(self) -> dict[str, Any]:
            step, loss = next(self._reports)
            last = step == Workload.read(path).steps
            if last:
                next(self._reports, None)  # the end of the trial is told
            return {"step": step, "val_loss": loss, "done": last}

        def save_checkpoint(self, checkpoint_dir: str) -> None:
            pass

        def load_checkpoint(self, checkpoint: Any) -> None:
            pass

    ray.init(include_dashboard=False, log_to_driver=False, logging_level=logging.CRITICAL)
    tuner = tune.Tuner(
        Trial,
        param_space={"number": tune.grid_search(list(range(len(Workload.read(path).trials))))},
        tune_config=tune.TuneConfig(metric="val_loss", mode="min", reuse_actors=True),
        run_config=tune.RunConfig(
            storage_path=str(Path(log) / "tune"), name="efficiency", verbose=0
        ),
    )
    tuner.fit()
    ray.shutdown()


def optuna_journal(path: str, log: str) -> None:
    """Optuna in two processes that share a journal file, as its distributed tutorial has it."""
    import optuna

    study = optuna.create_study(study_name="efficiency", storage=_journal(log))
    count = len(Workload.read(path).trials)
    for number in range(count):
        study.enqueue_trial({"number": number})
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_optimize, args=(path, log, count)) for _ in range(SLOTS)]
    _run_all(workers)


def _journal(log: str) -> Any:
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    return JournalStorage(JournalFileBackend(str(Path(log) / "optuna.log")))


def _optimize(path: str, log: str, count: int) -> None:
    import optuna

    def objective(trial: optuna.Trial) -> float:
        number, loss = trial.suggest_int("number", 0, count - 1), float("nan")
        for step, loss in Workload.read(path).train(number, log):
            trial.report(loss, step)
        return loss

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.load_study(study_name="efficiency", storage=_journal(log))
    ended = optuna.study.MaxTrialsCallback(
        count, states=(optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.RUNNING)
    )
    waiting = (optuna.trial.TrialState.WAITING,)
    while study.get_trials(deepcopy=False, states=waiting):
        study.optimize(objective, n_trials=1, callbacks=[ended])


def syne_tune(path: str, log: str) -> None:
    """Syne Tune's local back end, which starts a process of its own for each trial."""
    os.environ["SYNETUNE_FOLDER"] = str(Path(log) / "syne")
    from syne_tune import StoppingCriterion, Tuner
    from syne_tune.backend import LocalBackend
    from syne_tune.config_space import choice
    from syne_tune.optimizer.baselines import RandomSearch

    count = len(Workload.read(path).trials)
    script = Path(__file__).with_name("syne_trial.py")
    tuner = Tuner(
        trial_backend=LocalBackend(entry_point=str(script)),
        scheduler=RandomSearch(
            {"number": choice(list(range(count))), "workload": path, "log": log},
            metrics=["val_loss"],
            points_to_evaluate=[{"number": number} for number in range(count)],
        ),
        stop_criterion=StoppingCriterion(max_num_trials_finished=count),
        n_workers=SLOTS,
        sleep_time=0.1,
    )
    tuner.run()


TOOLS: dict[str, Callable[[str, str], None]] = {
    "bare": bare,
    "tune_documented": tune_documented,
    "tune_tuned": tune_tuned,
    "optuna": optuna_journal,
    "syne_tune": syne_tune,
}

if __name__ == "__main__":
    TOOLS[sys.argv[1]](*sys.argv[2:])
