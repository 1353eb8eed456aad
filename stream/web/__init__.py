"""What our web servers share: who may ask, and how much patience and memory a client may cost."""
