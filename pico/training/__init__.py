"""One trial in training: the loop, its optimizers, its checkpoints, its reports."""
