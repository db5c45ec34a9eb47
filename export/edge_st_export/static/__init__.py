"""Static models, distilled from the token embeddings of a teacher."""
