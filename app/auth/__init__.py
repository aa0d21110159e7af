"""Coming in and going out: sign in, register, wait for authorisation, change the password."""
