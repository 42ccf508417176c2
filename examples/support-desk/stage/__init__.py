"""What `demo.py` is made of: processes, feeding, chaos, the screen and the result."""
