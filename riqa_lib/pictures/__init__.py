"""Picture files read, cropped and stored."""
