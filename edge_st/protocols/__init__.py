"""Requests and answers over HTTP, as functions of a model and a JSON body; no web framework is needed."""
