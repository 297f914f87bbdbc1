"""What callbacks are told and how, pure: the message, its signature, when and where it goes. No I/O here."""
