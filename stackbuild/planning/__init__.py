"""From the request of a command to steps: layer selection, the plan, the graph of steps; and the state of a stack."""
