"""The ports over SQL: SQLite now, written so that PostgreSQL can run the same statements."""
