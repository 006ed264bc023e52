"""From detections to identities."""
