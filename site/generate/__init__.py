"""What the website says, made of committed files."""
