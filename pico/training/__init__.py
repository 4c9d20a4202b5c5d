"""One trial in training: the loop, its optimizers, its clock, its reports."""
