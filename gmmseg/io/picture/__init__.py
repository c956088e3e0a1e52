"""Pictures: PNG, JPEG, WebP, BMP and GIF."""
