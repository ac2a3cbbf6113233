"""From `venvstacks.toml` to linked layers: every problem at once, no effects."""
