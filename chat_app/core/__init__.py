"""What the chat is, without HTTP, SQL or sockets."""
