"""`python -m edge_runtime`."""

import sys

from edge_runtime.cli.__main__ import main

sys.exit(main())
