"""Programs that the Pythons of layers run: they stand alone."""
