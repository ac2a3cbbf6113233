"""One run over a project: order, threads, signals, other runs."""
