-- Actions on a schedule. They concern new runs; those in progress continue.

local suspended = obj.spec.suspend == true

return {
  ["suspend"] = {
    ["disabled"] = suspended,
    ["displayName"] = "Start no new runs",
    ["iconClass"] = "fa fa-fw fa-pause",
  },
  ["resume"] = {
    ["disabled"] = not suspended,
    ["displayName"] = "Start new runs",
    ["iconClass"] = "fa fa-fw fa-play",
  },
}
