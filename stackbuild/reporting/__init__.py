"""What a run reports to people and programs: progress, the table, changes, the time left, a report, events."""
