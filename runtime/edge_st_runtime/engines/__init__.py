"""The interface of an inference engine, and the engines."""
