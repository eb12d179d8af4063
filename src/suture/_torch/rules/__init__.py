"""The rule table for torch, one module per op family; importing this package fills it."""
