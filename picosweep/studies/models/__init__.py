"""Models that only a study needs: faults and variants of experiments that studies go back to."""
