"""Reads a sweep's Parquet tables, answers what a reader wants to know, and writes the report."""

if __name__ != "picosweep.analysis":
    raise ImportError("this package is picosweep.analysis: no module has two names")
