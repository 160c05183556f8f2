"""Networks: each returns logits and its pooled feature."""
