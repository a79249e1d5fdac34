"""What pods and both gateways agree on besides the requests themselves."""
