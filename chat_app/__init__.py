"""Roomlog: a room chat in which a room is a log and a connection is a cursor in it."""

__version__ = "0.1.0"
