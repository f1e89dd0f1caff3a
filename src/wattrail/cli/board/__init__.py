"""``wattrail board``: what a board is, which one it is, and exports of it."""
