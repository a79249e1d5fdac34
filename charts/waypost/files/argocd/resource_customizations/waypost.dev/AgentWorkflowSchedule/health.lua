-- Health of a schedule: Healthy if its times are valid and runs can start, Suspended while it starts
-- none, Degraded if it is invalid or blocked. A run that fails does not change it.
-- Conditions count only when status.observedGeneration is metadata.generation.

if obj.status == nil or obj.status.observedGeneration ~= obj.metadata.generation then
  return {status = "Progressing", message = "The operator of Waypost has not seen it yet"}
end
local accepted = nil
for _, condition in ipairs(obj.status.conditions or {}) do
  if condition.type == "Accepted" then
    accepted = condition
  end
  if condition.type == "Blocked" and condition.status == "True" and not obj.spec.suspend then
    return {status = "Degraded", message = condition.message}
  end
end
if accepted == nil then
  return {status = "Progressing", message = "The operator of Waypost has not seen it yet"}
end
if accepted.status == "False" then
  return {status = "Degraded", message = accepted.message}
end
if obj.spec.suspend then
  return {status = "Suspended", message = "No new runs start: spec.suspend is true"}
end
return {status = "Healthy", message = accepted.message}
