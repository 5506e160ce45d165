"""What each operator was declared to do, as plain frozen values: one file an operator."""
