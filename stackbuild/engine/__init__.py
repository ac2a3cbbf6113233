"""The stack as doit tasks: the only code that knows doit."""
