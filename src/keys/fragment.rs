//! What is left of an RSA key when the head or the tail of its structure was overwritten.
