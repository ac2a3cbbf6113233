"""One verb each (lock, build, archive, export, manifest), what each depends on, and whether its result is valid.

A verb reads its inputs, calls pure code, does its effects and writes its record last. Verbs never import verbs.
"""
