"""The plan of notebooks: what is up to date, what runs, what is shown."""
