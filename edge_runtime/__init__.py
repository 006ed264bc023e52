"""The inference runtime for street hardware: cameras in, trustworthy counts out over MQTT.

The path of the data is the table of contents; ARCHITECTURE.md draws it. Importing this package costs nothing: heavy libraries
(OpenCV, Numba, ONNX Runtime, PyAV) are imported where they are first used.
"""

__version__ = "0.1.0"
