"""The only doors to the disk, to other processes and to the screen; small things that know nothing of stacks."""
