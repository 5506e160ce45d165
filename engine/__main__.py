"""`python -m engine`: the same as the command `forewarn`."""

import sys

from engine.edge.cli import main

sys.exit(main())
