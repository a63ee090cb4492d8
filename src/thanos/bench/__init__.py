"""ThanosBench: how well a model plans the skill, and what that does to replies."""
