"""The terms of the portrait GAN's objective, one a file: a pure function and a thin module with its options."""
