"""What labels are worth: retraining replayed on reviews whose categories are known already."""
