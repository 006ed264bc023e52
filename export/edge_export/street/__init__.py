"""`street-nano`: a detector of road users, trained here from simulated and real streets.

streets/ ──labels──► what three teachers agree on ─┐
                                                   ├─feed (augment)──► train (network, assign, losses) ──► street-nano.keras
sim: ────scenes────► pictures and exact truth ─────┘                                                      training.jsonl
"""
