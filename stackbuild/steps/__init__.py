"""One verb each, what they depend on, and whether they have to run. Verbs never import verbs."""
