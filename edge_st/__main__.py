"""``python -m edge_st`` is the command ``edge-st``."""

import sys

from edge_st.cli import main

if __name__ == "__main__":
    sys.exit(main())
