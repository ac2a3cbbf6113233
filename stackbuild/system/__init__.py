"""Files, other processes and the screen: the doors that linters hold; small helpers that know nothing about stacks."""
