"""The implementations of the ports, each named by its technology."""
