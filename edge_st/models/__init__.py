"""The model classes and what they are made of."""
