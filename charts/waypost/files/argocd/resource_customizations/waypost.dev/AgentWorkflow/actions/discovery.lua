-- Actions on a run. A child run has none: its parent controls it. No action answers an Approval: the answer would
-- carry the name of Argo CD and not that of the person.

local child = obj.spec.parent ~= nil
local phase = obj.status ~= nil and obj.status.phase or nil
local finished = phase == "Succeeded" or phase == "Failed" or phase == "Cancelled"
local suspended = obj.spec.suspend == true
local cancelled = obj.spec.cancel == true

return {
  ["suspend"] = {
    ["disabled"] = child or finished or cancelled or suspended,
    ["displayName"] = "Suspend",
    ["iconClass"] = "fa fa-fw fa-pause",
  },
  ["resume"] = {
    ["disabled"] = child or finished or not suspended,
    ["displayName"] = "Resume",
    ["iconClass"] = "fa fa-fw fa-play",
  },
  ["cancel"] = {
    ["disabled"] = child or finished or cancelled,
    ["displayName"] = "Cancel",
    ["iconClass"] = "fa fa-fw fa-stop",
  },
  ["rerun"] = {
    ["disabled"] = child or cancelled or not (phase == "Failed" or phase == "Paused"),
    ["displayName"] = "Rerun from the failed nodes",
    ["iconClass"] = "fa fa-fw fa-redo",
  },
}
