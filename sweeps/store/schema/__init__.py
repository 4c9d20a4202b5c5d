"""What a column is, and the columns of what trained models are asked."""
