"""``python -m wattrail`` is the command ``wattrail``."""

from __future__ import annotations

import sys

from wattrail.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
