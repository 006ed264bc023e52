"""What users write: the schema, its loader and its cross-checks."""
