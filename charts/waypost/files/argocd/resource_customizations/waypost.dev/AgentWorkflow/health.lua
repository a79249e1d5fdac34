-- Health of a run, from its conditions: Degraded if it failed or needs a decision, Suspended if it waits for
-- an approval or is suspended, Healthy once it has succeeded, else Progressing.
-- Conditions count only when status.observedGeneration is metadata.generation. SetAside always counts: such a run
-- may have a change that the operator cannot read.

local function conditions(status)
  local found = {}
  for _, condition in ipairs(status.conditions or {}) do
    found[condition.type] = condition
  end
  return found
end

local function is(condition, value)
  return condition ~= nil and condition.status == value
end

local function health(status, condition, default)
  local message = condition ~= nil and condition.message or ""
  return {status = status, message = message ~= "" and message or default}
end

if obj.status == nil or obj.status.conditions == nil then
  return {status = "Progressing", message = "The operator of Waypost has not seen it yet"}
end

local found = conditions(obj.status)
if is(found.SetAside, "True") then
  return health("Degraded", found.SetAside, "The operator cannot serve the run")
end
if obj.status.observedGeneration ~= obj.metadata.generation then
  return {status = "Progressing", message = "The operator has not read the last change yet"}
end
if is(found.Accepted, "False") then
  return health("Degraded", found.Accepted, "The definition is not valid")
end
if is(found.Succeeded, "True") then
  return health("Healthy", found.Succeeded, "Succeeded")
end
if is(found.Stalled, "True") then
  return health("Degraded", found.Stalled, "The run cannot continue")
end
if is(found.Finished, "True") then
  return health("Degraded", found.Succeeded, "Failed")
end
if is(found.AwaitingApproval, "True") then
  return health("Suspended", found.AwaitingApproval, "Waiting for an approval")
end
if obj.spec.suspend or obj.status.phase == "Suspended" then
  return health("Suspended", found.Succeeded, "Suspended")
end
local progress = (obj.status.phase or "Running") .. ": " .. (obj.status.progress or "0") .. " nodes have ended"
return health("Progressing", found.Succeeded or found.Accepted, progress)
