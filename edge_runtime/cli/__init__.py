"""The verbs: one small module each."""
