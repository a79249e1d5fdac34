-- Health of a question to people: Suspended while it is open, then Healthy. A denial is an answer, not a fault: what
-- it does to the run is the health of the run.

local state = obj.status ~= nil and obj.status.state or "Open"
if state == "Open" then
  return {status = "Suspended", message = "Waiting for a decision"}
end
return {status = "Healthy", message = state}
