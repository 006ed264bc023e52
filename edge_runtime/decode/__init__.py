"""Raw model outputs -> values; one module a family, one row each in the table."""
