"""``httpio fetch``: many files over few connections."""
