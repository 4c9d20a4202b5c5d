"""Which settings mattered: importances, regressions and partial dependence."""
