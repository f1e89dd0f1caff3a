"""The verbs of ``wattrail store``, one module each."""
