"""The contract with an inference engine, and the engines."""
