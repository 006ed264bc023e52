"""From captured items to tensors."""
