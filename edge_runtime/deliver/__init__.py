"""The spool on disk and the sinks that it is emptied into."""

SINKS = {
    "mqtt": "edge_runtime.deliver.mqtt:MqttSink",
    "memory": "edge_runtime.deliver.memory:MemorySink",
    "lines": "edge_runtime.deliver.memory:JsonLinesSink",
}
