"""One verb each (lock, build, archive, export, manifest), what each depends on, and whether its result is valid."""
