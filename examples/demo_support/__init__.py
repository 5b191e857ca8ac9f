"""What the demo needs besides httpio: documents, servers, and a sign of life on the terminal."""
