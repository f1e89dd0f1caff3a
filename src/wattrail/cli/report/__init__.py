"""Reports to look at and to keep: text for the terminal, JSON for programs, one HTML file for the drawer."""
