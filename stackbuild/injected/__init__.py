"""Files that are shipped inside layers, and run there without stackbuild."""
