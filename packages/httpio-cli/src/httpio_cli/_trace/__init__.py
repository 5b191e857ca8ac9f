"""The command ``httpio trace``: the bytes of a conversation, and whose they are."""
