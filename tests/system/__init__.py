"""The daemon on real peers: RTSP server, broker, disk."""
