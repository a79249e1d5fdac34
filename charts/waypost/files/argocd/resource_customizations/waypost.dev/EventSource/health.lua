-- Health of an EventSource: Healthy if it is valid, Suspended while its senders get 503.
-- Conditions count only when status.observedGeneration is metadata.generation.

if obj.status == nil or obj.status.observedGeneration ~= obj.metadata.generation then
  return {status = "Progressing", message = "The operator of Waypost has not seen it yet"}
end
for _, condition in ipairs(obj.status.conditions or {}) do
  if condition.type == "Accepted" then
    if condition.status == "False" then
      return {status = "Degraded", message = condition.message}
    end
    if condition.status == "True" and obj.spec.suspend then
      return {status = "Suspended", message = "Its senders get 503: spec.suspend is true"}
    end
    if condition.status == "True" then
      return {status = "Healthy", message = condition.message}
    end
    return {status = "Progressing", message = condition.message}
  end
end
return {status = "Progressing", message = "The operator of Waypost has not seen it yet"}
