"""Pure rendering: one table model, printed as PDF and as workbook."""
