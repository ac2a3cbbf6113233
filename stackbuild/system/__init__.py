"""The only doors to the disk, to other processes and to the screen; small helpers that know nothing about stacks."""
