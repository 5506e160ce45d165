"""An assessment as people read it: on a page, in a table for calculating, on a terminal."""
