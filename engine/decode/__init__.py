"""From the bytes of a record to a typed event, or to a reason why not."""
