"""Rules tried on the past: what recorded feeds set off, and what an edit of the rules changes."""
