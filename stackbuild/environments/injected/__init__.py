"""Programs that the Pythons of layers run. They import nothing of stackbuild."""
