"""Mining of pairs, communities and hard negatives."""
