"""What both papers print, claim and did, and where we depart from them."""
