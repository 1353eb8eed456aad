"""What our web servers share: how much patience and memory a client may cost."""
