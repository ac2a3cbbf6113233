"""From what a command asks for to steps: layer selection, the plan, the graph of steps. Pure."""
