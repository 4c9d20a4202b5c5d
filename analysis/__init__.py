"""Reads a sweep's Parquet tables and answers what a reader wants to know of them.

    results = picosweep.load("results/demo")
    table = picosweep.pareto_table(results.full_budget, "num_params")
    picosweep.write_report("results/demo", "report.html")

Names are imported when they are first used, so `import picosweep.analysis` costs nothing; they are
listed once, in `__init__.pyi`.
"""

import lazy_loader

if __name__ != "picosweep.analysis":
    raise ImportError("this package is picosweep.analysis: no module has two names")

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
