"""Mining of hard negatives."""
