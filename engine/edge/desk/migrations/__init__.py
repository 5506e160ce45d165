"""How the tables of the desk came to be what they are, one step a file."""
