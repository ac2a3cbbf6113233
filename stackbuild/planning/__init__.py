"""From what a command asks for to what is done with each layer. Pure."""
