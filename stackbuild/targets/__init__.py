"""What a layer is for: platforms and Pythons, their names and tags. Pure."""
