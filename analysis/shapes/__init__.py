"""The shape of the search space: heatmaps, slices and densities."""
