"""Reports on studies: tables for a terminal (`text`), and one HTML page (`html`). Nothing is imported here, so
that a table of costs needs no database."""
