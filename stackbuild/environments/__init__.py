"""What is in the folder of a layer, whatever project it belongs to."""
