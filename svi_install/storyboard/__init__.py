"""Storyboards: from one image and a few lines to a film of any length, one WanGP task per segment."""
