"""What each report says, whatever it is drawn on."""
