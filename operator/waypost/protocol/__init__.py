"""What operator and pods exchange: requests, commit records, probe reports, reasons, I-JSON.

Both sides and all images import it, so it imports nothing else of this repository, and reads
strictly: a malformed document raises an error that names the field.
"""
