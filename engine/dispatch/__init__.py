"""Who is told about an alert, and how a delivery that fails is tried again."""
