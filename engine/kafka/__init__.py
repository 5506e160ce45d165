"""How a Kafka broker is reached: what workers, sources and sinks must know alike."""
