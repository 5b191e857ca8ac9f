"""What holds for any input at all, as far as hypothesis can tell."""
