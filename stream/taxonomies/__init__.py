"""Making a taxonomy from labels, checking one, and comparing two.

What a taxonomy *is* stands in :mod:`schemas.taxonomy`.
"""
