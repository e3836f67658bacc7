"""From logits to the next token: the settings, how they reshape the distribution, how a token is drawn."""
