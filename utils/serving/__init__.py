"""An endpoint: one base model, many adapters, every client."""
