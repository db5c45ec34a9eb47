"""``edge-st index`` and its actions."""
