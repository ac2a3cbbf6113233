"""What is told of a run: a summary, changes, the time left, a report, events."""
