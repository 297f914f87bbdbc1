"""The dashboard as a picture, and the program that runs its queries."""
