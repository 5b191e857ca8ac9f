"""What several test directories share: real servers, a scripted peer, certificates, documents, a delaying proxy."""
