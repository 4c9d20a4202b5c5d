"""Hyperparameter sweeps over very small language models.

    import picosweep

    result = picosweep.run("shakespeare.yaml")
    results = picosweep.load(result.folder)
    picosweep.charts.pareto(results, "num_params")

Whatever the command line does is a function here, and so is every table and chart of the report.
Names are imported when they are first used, so `import picosweep` costs nothing; they are listed
once, in `__init__.pyi`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
