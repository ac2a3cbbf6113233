"""One run over a stack: which steps must run, threads, signals, keeping other runs away."""
