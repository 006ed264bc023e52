"""edge-export: trains small networks, converts them to ONNX, proves that nothing changed on the way, and makes bundles of them."""

__version__ = "0.1.0"
