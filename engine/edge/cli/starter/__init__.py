"""The files of a new project, as `forewarn init` copies them."""
