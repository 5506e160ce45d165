"""The Kafka edge: all that knows Faust or Kafka."""
