"""Pareto fronts between the loss and what a model costs."""
