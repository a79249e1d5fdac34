-- Health of a question to people: Suspended while it is open, then Healthy. A denial is an answer, not a fault: what
-- it does to the run is the health of the run. A question that was escalated names the one that asks others.

local status = obj.status or {}
local state = status.state or "Open"
if state == "Open" then
  local message = "Waiting for a decision"
  if obj.spec ~= nil and obj.spec.level ~= nil then
    message = message .. " (escalation level " .. obj.spec.level .. ")"
  end
  return {status = "Suspended", message = message}
end
if status.escalatedTo ~= nil then
  return {status = "Healthy", message = "Escalated to " .. status.escalatedTo}
end
return {status = "Healthy", message = state}
