"""Reports as PDF pages."""
