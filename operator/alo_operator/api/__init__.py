"""What users write and read: names, the models of both kinds, and the CRDs made from them."""
