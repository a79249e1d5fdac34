-- Health of a tool server: Healthy or Degraded by its latest probe.
-- Conditions count only when status.observedGeneration is metadata.generation.

if obj.status == nil or obj.status.observedGeneration ~= obj.metadata.generation then
  return {status = "Progressing", message = "No probe has ended yet"}
end
for _, condition in ipairs(obj.status.conditions or {}) do
  if condition.type == "Ready" and condition.status == "True" then
    return {status = "Healthy", message = condition.message}
  end
  if condition.type == "Ready" and condition.status == "False" then
    return {status = "Degraded", message = condition.message}
  end
end
return {status = "Progressing", message = "No probe has ended yet"}
