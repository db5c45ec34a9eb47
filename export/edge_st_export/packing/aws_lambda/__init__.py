"""Pack a model for AWS Lambda: a layer and a function as zips, or a folder from which an image is built."""
