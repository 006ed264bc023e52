"""The inference runtime for street hardware: cameras in, trustworthy counts out over MQTT.

The path of the data is the table of contents; ARCHITECTURE.md draws it. Importing this package costs nothing: heavy libraries
(OpenCV, Numba, ONNX Runtime, PyAV) are imported where they are first used.
"""

import os

# Some builds of ONNX Runtime report their use to their maker. Nothing leaves a device unless its owner asked for it: said before any import of it.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

__version__ = "0.1.0"
