"""The torch adapter: the only part of Suture that imports torch."""
