"""Cases: what people do about alerts, on a clock, until evidence closes them."""
