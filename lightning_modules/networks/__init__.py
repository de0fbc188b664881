"""Networks: plain torch modules that take numbers and tensors, one published network a file."""
