"""``wattrail device``: one file per verb, or for a few small ones."""
