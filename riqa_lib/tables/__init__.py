"""Tables, from stored results."""
