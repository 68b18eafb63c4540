"""The introduction: nothing to compute but its exercises."""
