"""What `fuzz.py` is made of: small files of every format, damage to them, calls, and processes that are watched."""
