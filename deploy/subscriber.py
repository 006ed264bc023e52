"""Every event of every node, once: `python subscriber.py HOST PORT events.db`. What arrives twice is dropped by its id; see DELIVERY.md."""

import json
import sqlite3
import sys

from paho.mqtt.client import CallbackAPIVersion, Client, MQTTv5
from paho.mqtt.properties import PacketTypes, Properties

table = sqlite3.connect(sys.argv[3])
table.execute("CREATE TABLE IF NOT EXISTS events (id TEXT PRIMARY KEY, topic TEXT, body TEXT)")


def keep(client, _data, message):
    """Commit first, acknowledge then: what the broker forgets is on this disk."""
    with table:
        event = (json.loads(message.payload)["id"], message.topic, message.payload.decode())
        table.execute("INSERT OR IGNORE INTO events VALUES (?, ?, ?)", event)
    client.ack(message.mid, message.qos)


session = Properties(PacketTypes.CONNECT)
session.SessionExpiryInterval = 14 * 86400  # the broker collects for us while we are away
client = Client(CallbackAPIVersion.VERSION2, "city-ops-events", protocol=MQTTv5, manual_ack=True)
client.on_connect = lambda client, *_: client.subscribe("edge/v1/+/+/obs/#", qos=1)
client.on_message = keep
client.connect(sys.argv[1], int(sys.argv[2]), 60, clean_start=False, properties=session)
client.loop_forever()
