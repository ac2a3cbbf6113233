"""What a run tells people and programs: progress, the table, changes, the time left, a report, events."""
