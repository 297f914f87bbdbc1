"""Programs to compare with. They run in the operator's own environment and import nothing but what is in there."""
