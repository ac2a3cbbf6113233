"""Everything about uv: how it is run, what it is asked, and why it failed."""
