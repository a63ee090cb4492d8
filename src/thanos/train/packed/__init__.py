"""Training steps without padding: the rows of a batch lie one after the other, and only what is trained is computed."""
