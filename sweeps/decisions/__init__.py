"""Which trial comes next, what a report means, when the sweep is over."""
