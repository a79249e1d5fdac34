-- The next round: failed and cancelled nodes and everything after them run again. `from`, `outputs` and `skip` of an
-- earlier round do not apply to this one.
local round = obj.status ~= nil and obj.status.round or 1
if obj.spec.rerun ~= nil and obj.spec.rerun.round > round then
  round = obj.spec.rerun.round
end
obj.spec.rerun = {round = round + 1}
return obj
