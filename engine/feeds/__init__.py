"""What comes in: the declaration of a feed and the cleaning of its positions."""
