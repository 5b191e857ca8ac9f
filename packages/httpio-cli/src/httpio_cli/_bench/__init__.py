"""``httpio bench``: a load generator whose numbers stay honest under pipelining."""
