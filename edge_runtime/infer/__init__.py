"""Model bundles and the engine that runs them."""
