"""The commands that make one request and show its response: get, head, put, post, delete, request."""
