"""From texts to token ids; splitting of long texts."""
