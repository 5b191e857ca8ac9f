"""``httpio probe``: what a server, and whatever stands before it, really does on the wire."""
