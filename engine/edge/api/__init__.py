"""The API of the case desk: who may ask for what, what they are shown, and what is written down."""
