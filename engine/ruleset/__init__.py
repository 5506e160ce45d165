"""From declared text to a program that can be run: read, check, compile."""
